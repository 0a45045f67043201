// From nothing to a first picture: name a monitor, get its token once, copy a line, see the picture arrive.

import { post } from "./api.js";
import { find, findAll, setText } from "./dom.js";
import { copyButton, onSubmit, showProblem } from "./forms.js";
import { live } from "./live.js";
import { announce, notifyError } from "./notice.js";
import { Shot } from "./shot.js";

const { organisation } = document.body.dataset;
const form = find("#new-monitor");
const SLUG = /^[a-z0-9-]{1,64}$/;
const shot = new Shot(find("#first-picture"));

/** "Line 3, Éxit" -> "line-3-exit" */
const slugOf = (name) => name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 64);

function followName() {
  const { name, slug } = form.elements;
  const follow = () => { if (!slug.dataset.typed) slug.value = slugOf(name.value); };
  name.addEventListener("input", follow);
  slug.addEventListener("input", () => { slug.dataset.typed = slug.value ? "yes" : ""; });
  if (!slug.value) follow(); // somebody typed before this script was there
}

function check({ name, slug, expected_interval_s: interval }) {
  const problems = [];
  if (!name.trim()) problems.push(["name", "Give the monitor a name that people know it by"]);
  if (!SLUG.test(slug)) problems.push(["slug", "slug may use a-z, 0-9 and -, up to 64 of them"]);
  if (interval && !(Number(interval) > 0)) problems.push(["expected_interval_s", "Seconds above 0, or nothing"]);
  for (const [field, text] of problems) showProblem(form, field, text);
  if (problems.length) form.elements[problems[0][0]].focus();
  return problems.length === 0;
}

const made = {}; // by a try before: it is not made again

async function create(values) {
  if (!check(values)) return null;
  const body = { organisation, slug: values.slug, name: values.name.trim() };
  if (values.expected_interval_s) body.expected_interval_s = Number(values.expected_interval_s);
  const name = values.dataset_name?.trim();
  if (name) {
    if (made.dataset?.name !== name) made.dataset = await post("/api/v1/datasets/", { organisation, name });
    body.dataset = made.dataset.key;
  }
  made.monitor ??= await post("/api/v1/monitors/", body);
  const { monitor } = made;
  const token = await post("/api/v1/tokens/", {
    organisation, name: `camera of ${monitor.slug}`, role: "operator", scopes: ["ingest", "control", "annotate", "read"],
  });
  await post(`/api/v1/monitors/${monitor.slug}/start/`);
  showConnect(monitor, token.secret);
  return "once";
}

function showConnect(monitor, secret) {
  for (const field of findAll("input, button", form)) field.disabled = true;
  find("#step-connect").hidden = false;
  find("#step-picture").hidden = false;
  for (const place of findAll("[data-fill]")) place.textContent = fill(place.textContent, monitor.slug, secret);
  for (const link of findAll("[data-monitor-link]")) link.href = `/monitors/${monitor.slug}/`;
  setText(find("#token"), secret);
  findAll(".copyable").forEach(copyButton);
  find("#step-connect h2").focus({ preventScroll: true });
  find("#step-connect").scrollIntoView({ block: "start" });
  live.subscribe(`monitor:${monitor.slug}`, { state: (state) => showArrival(state) });
  find("#send-file").addEventListener("change", (event) => sendFiles(monitor.slug, event.target.files));
}

const fill = (text, slug, secret) => text.replaceAll("SERVER", location.origin).replaceAll("SLUG", slug).replaceAll("TOKEN", secret);

function showArrival(state) {
  if (!state.last_image || !state.total_counter) return;
  shot.show(state.last_image);
  const isFirst = find("#arrived").hidden;
  find("#waiting").hidden = true;
  find("#arrived").hidden = false;
  setText(find("#arrived-count"), `${state.total_counter} ${state.total_counter === 1 ? "picture has" : "pictures have"} arrived`);
  if (isFirst) announce("The first picture has arrived");
}

async function sendFiles(slug, files) {
  for (const file of files) {
    try {
      const body = file.type ? file : new Blob([file], { type: "application/octet-stream" });
      await post(`/api/v1/monitors/${slug}/images/?name=${encodeURIComponent(file.name)}`, body);
    } catch (refusal) {
      notifyError(refusal);
      return;
    }
  }
}

followName();
onSubmit(form, create);
form.elements.name.focus();
