// Shows the schema in Swagger UI; "Try it out" works with the login of this browser or with a token.

const place = document.querySelector("#swagger-ui");

function csrfToken() {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
  return found ? decodeURIComponent(found.slice("csrftoken=".length)) : "";
}

window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  requestInterceptor: (request) => {
    if (!["GET", "HEAD"].includes(request.method)) request.headers["X-CSRFToken"] = csrfToken();
    return request;
  },
});
