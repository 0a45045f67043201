"""Exports in the background: asked for, run, fetched, cancelled, taken up again, forgotten."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from monitoring.exports import Wanted
from monitoring.jobs import folders, runner, verbs
from monitoring.jobs.models import JobState
from monitoring.models import Job
from sessions_app.models import Lease
from sessionsite.common.live import find_topic

pytestmark = pytest.mark.django_db


def body_of(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_viewer_asks_for_an_export_and_fetches_it(as_viewer, asked, published):
    assert (asked["state"], asked["kind"], asked["created_by"]) == ("queued", "export", "viewer")
    assert as_viewer.get(f"/api/v1/jobs/{asked['key']}/file/").status_code == 409
    assert runner.run_next()
    done = as_viewer.get(f"/api/v1/jobs/{asked['key']}/").json()
    assert (done["state"], done["progress_frac"], done["result"]) == ("done", 1.0, {"pictures": 3})
    assert done["file_name"].startswith("Plates_coco_") and done["expires_at"]
    answer = as_viewer.get(done["file_url"])
    archive = zipfile.ZipFile(io.BytesIO(body_of(answer)))
    assert len(archive.namelist()) == 5 and archive.testzip() is None
    assert int(answer["Content-Length"]) == done["size_bytes"]
    assert not runner.run_next()


def test_its_topic_shows_what_rest_shows(as_viewer, finished):
    topic, name = find_topic(f"job:{finished['key']}")
    snapshot = topic.snapshot(name)
    assert snapshot.data == as_viewer.get(f"/api/v1/jobs/{name}/").json()
    assert snapshot.is_finished and topic.revisions([name]) == {name: (snapshot.revision, None)}


@pytest.mark.django_db(transaction=True)
def test_every_step_is_pushed(job, published):
    runner.run_next()
    assert published.count(f"job:{job.key}") >= 2


def test_one_list_shows_ones_own(as_viewer, client_for, operator, finished, dataset):
    verbs.start_export(dataset, Wanted("voc"), by="operator")
    keys = lambda answer: [row["key"] for row in answer.json()["results"]]  # noqa: E731
    assert keys(as_viewer.get("/api/v1/jobs/?mine=true")) == [finished["key"]]
    assert len(keys(as_viewer.get("/api/v1/jobs/"))) == 2
    assert keys(client_for(operator).get("/api/v1/jobs/?mine=true&state=done")) == []


def test_a_cancelled_job_is_not_run_and_a_running_one_stops(as_viewer, job):
    assert as_viewer.post(f"/api/v1/jobs/{job.key}/cancel/").json()["state"] == "cancelled"
    assert not runner.run_next()
    again = as_viewer.post(f"/api/v1/jobs/{job.key}/cancel/")
    assert again.status_code == 409 and again.json()["code"] == "job_moved"


def test_a_run_whose_job_is_cancelled_ends_without_a_trace(job, monkeypatch):
    monkeypatch.setattr(runner, "NOTE_EVERY_S", 0.0)
    looks = []

    def cancelled_meanwhile() -> bool:
        if not looks:
            verbs.cancel(Job.objects.get(pk=job.pk), by="ann")
        looks.append(1)
        return False

    assert runner.run_next(cancelled_meanwhile)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED and len(looks) == 1
    assert list(folders.folder_of(job).iterdir()) == []


def test_a_server_that_stops_gives_the_job_back(job):
    assert runner.run_next(lambda: True)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.claim) == (JobState.QUEUED, 0, "")
    assert runner.run_next()
    job.refresh_from_db()
    assert job.state == JobState.DONE


def test_what_a_dead_process_left_is_taken_up_from_its_start(job):
    dead = verbs.take_up()
    assert dead == job and dead.state == JobState.RUNNING
    assert runner.run_next()
    job.refresh_from_db()
    assert job.state == JobState.DONE and job.claim != dead.claim
    with pytest.raises(verbs.Replaced):
        verbs.note_progress(dead, 0.5, "still here")
    with pytest.raises(verbs.JobMoved):
        verbs.end(dead, JobState.DONE, claim=dead.claim, file="mine.zip")


def test_a_job_that_ends_its_server_three_times_is_given_up(job):
    for _ in range(verbs.ATTEMPTS_MAX):
        assert verbs.take_up() == job
    assert verbs.take_up() is None
    job.refresh_from_db()
    assert job.state == JobState.FAILED and job.message == verbs.FAILED_OFTEN


def test_another_process_runs_nothing_while_the_lease_is_held(job):
    Lease.objects.create(
        name=runner.LEASE, holder="elsewhere:1", expires_at=timezone.now() + timedelta(seconds=9)
    )
    assert not runner.run_next()
    with time_machine.travel(timezone.now() + timedelta(seconds=10)):
        assert runner.run_next()


def test_a_look_for_jobs_writes_nothing_while_there_are_none(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert not runner.run_next()


def test_a_link_opens_the_file_without_a_login_until_it_expires(as_viewer, finished):
    link = as_viewer.post(f"/api/v1/jobs/{finished['key']}/link/").json()
    path = link["url"].removeprefix("http://testserver")
    assert path.startswith(f"/exports/{finished['key']}/file/?ticket=")
    answer = Client().get(path)
    assert answer.status_code == 200 and answer["Content-Type"] == "application/zip"
    assert answer["Referrer-Policy"] == "no-referrer" and zipfile.ZipFile(io.BytesIO(body_of(answer)))
    with time_machine.travel(timezone.now() + timedelta(seconds=verbs.LINK_LIFE_S + 2)):
        assert Client().get(path).status_code == 404


def test_a_link_is_of_one_job_and_dies_with_it(as_viewer, finished, dataset):
    path = as_viewer.post(f"/api/v1/jobs/{finished['key']}/link/").json()["url"]
    other = verbs.start_export(dataset, Wanted("csv"), by="viewer")
    runner.run_next()
    assert Client().get(path.replace(finished["key"], other.key)).status_code == 404
    assert Client().get(path[:-1] + ("a" if path[-1] != "a" else "b")).status_code == 404
    assert Client().get(path.partition("?")[0]).status_code == 404
    assert as_viewer.delete(f"/api/v1/jobs/{finished['key']}/").status_code == 204
    assert Client().get(path).status_code == 404


def test_no_link_to_what_is_not_there_yet(as_viewer, asked):
    answer = as_viewer.post(f"/api/v1/jobs/{asked['key']}/link/")
    assert answer.status_code == 409 and answer.json()["code"] == "not_ready"


@pytest.mark.django_db(transaction=True)
def test_removing_and_forgetting_take_the_files_along(as_viewer, finished, dataset):
    first = Job.objects.get(key=finished["key"])
    second = verbs.start_export(dataset, Wanted("yolo"), by="viewer")
    assert runner.run_next() and folders.file_of(first).exists()
    as_viewer.delete(f"/api/v1/jobs/{first.key}/")
    assert not (folders.root() / first.key).exists()
    assert verbs.forget_old_jobs() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert verbs.forget_old_jobs() == 1
    assert not (folders.root() / second.key).exists() and not Job.objects.exists()


def test_the_jobs_of_another_are_cancelled_by_those_who_annotate(as_viewer, client_for, operator, dataset):
    theirs = verbs.start_export(dataset, Wanted("coco"), by="ann")
    assert as_viewer.post(f"/api/v1/jobs/{theirs.key}/cancel/").status_code == 403
    assert client_for(operator).post(f"/api/v1/jobs/{theirs.key}/cancel/").status_code == 200


def test_nobody_fills_the_queue(as_viewer, dataset):
    for _ in range(verbs.OPEN_MAX):
        verbs.start_export(dataset, Wanted("coco"), by="viewer")
    answer = as_viewer.post("/api/v1/datasets/ds-1/export/", {"format": "coco"}, format="json")
    assert answer.status_code == 409 and answer.json()["code"] == "too_many_jobs"


def test_an_error_of_ours_fails_the_job_and_says_no_more(job):
    Job.objects.filter(pk=job.pk).update(params={"format": "of a later version"})
    assert runner.run_next()
    job.refresh_from_db()
    assert job.state == JobState.FAILED and job.message == runner.INTERNAL_ERROR
