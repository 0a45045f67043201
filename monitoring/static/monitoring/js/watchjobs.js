// Says on whatever page one is that a job which was begun in this browser has ended.

import { live } from "./live.js";
import { notify } from "./notice.js";

const STORE = "jobs";
const OVER = { done: "is done", failed: "failed", ready: "is checked: have a look at what it would do" };
const followed = new Set();

/** key -> the revision from which on the job's state is news. */
const read = () => new Map(JSON.parse(localStorage.getItem(STORE) ?? "[]"));
const write = (jobs) => localStorage.setItem(STORE, JSON.stringify([...jobs].slice(-20)));

function forget(key) {
  const jobs = read();
  const had = jobs.delete(key);
  write(jobs);
  return had;
}

function tell(job) {
  const words = OVER[job.state];
  // Of several open pages the first one to see it says it.
  if (!forget(job.key) || !words) return;
  const place = job.dataset && job.state === "ready" ? `/datasets/${encodeURIComponent(job.dataset)}/` : "/exports/";
  const action = location.pathname === place ? null : { label: "Open", run: () => location.assign(place) };
  notify(`${job.title} ${words}${job.state === "failed" ? `: ${job.message}` : ""}`, { kind: job.state === "failed" ? "error" : "info", action });
}

function follow(key) {
  if (followed.has(key)) return;
  followed.add(key);
  let stop = null;
  const end = () => { followed.delete(key); setTimeout(() => stop?.(), 0); };
  stop = live.subscribe(`job:${key}`, {
    state(job) {
      const isOver = job.state in OVER || job.state === "cancelled";
      if (!isOver || !followed.has(key) || job.revision < (read().get(key) ?? 0)) return;
      end();
      tell(job);
    },
    error() { end(); forget(key); },
  }, { poll: false });
}

/** The end of `job`, or of the step that has just begun, will be told, also on another page. */
export function watchJob(job) {
  write(read().set(job.key, job.revision));
  follow(job.key);
}

export function watchJobs() {
  for (const key of read().keys()) follow(key);
}
