// Shows the OpenAPI document, light or dark as the other pages. Nothing is asked of any other server.
"use strict";

(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const followTheme = () => root.classList.toggle(
    "dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  system.addEventListener("change", followTheme);
  new MutationObserver(followTheme).observe(root, { attributeFilter: ["data-theme"] });
  followTheme();

  const place = document.getElementById("api");
  SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    persistAuthorization: false,
    syntaxHighlight: { activate: false },
  });
})();
