// The one way to the REST interface: cookie session, CSRF header, our error shape.

export class ApiError extends Error {
  constructor(status, { error, code, details }) {
    super(error);
    this.status = status;
    this.code = code;
    this.details = details ?? {};
  }
}

function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

export function goToLogin() {
  location.assign(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
}

async function errorOf(response) {
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const body = isJson ? await response.json().catch(() => null) : null;
  if (body && typeof body.error === "string") return new ApiError(response.status, body);
  const error = `The server answered ${response.status} ${response.statusText}`.trim();
  return new ApiError(response.status, { error, code: "http_error", details: {} });
}

/**
 * The parsed answer. Throws ApiError for a refusal and for an unreachable server (status 0, code "unreachable").
 * body: an object sent as JSON, or a Blob sent as it is. revision: goes out as If-Match.
 * headers(answered) is called with the headers of an answer that is no refusal. keepalive: outlives the page.
 */
export async function request(method, url, { body, revision, signal, keepalive, headers: answered } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = cookie("csrftoken");
  if (revision !== undefined && revision !== null) headers["If-Match"] = `"${revision}"`;
  const isRaw = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = isRaw ? body.type : "application/json";
  const payload = body === undefined || isRaw ? body : JSON.stringify(body);
  const response = await fetch(url, { method, headers, body: payload, signal, keepalive, cache: "no-cache" }).catch(unreachable);
  if (response.status === 401) goToLogin();
  if (!response.ok) throw await errorOf(response);
  answered?.(response.headers);
  return response.status === 204 ? null : response.json().catch(unreachable); // cut off in the middle
}

function unreachable(cause) {
  if (cause.name === "AbortError") throw cause;
  throw new ApiError(0, { error: "The server cannot be reached", code: "unreachable", details: {} });
}

export const get = (url, options) => request("GET", url, options);
export const post = (url, body = {}, options = {}) => request("POST", url, { ...options, body });
export const patch = (url, body, options = {}) => request("PATCH", url, { ...options, body });
export const remove = (url, options) => request("DELETE", url, options);
