// Shows the document of the world that the page belongs to.
const document_path = document.currentScript.dataset.document;
const world = location.pathname.replace(/\/docs\/?$/, "");
SwaggerUIBundle({
  url: world + document_path,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
