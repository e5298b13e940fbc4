// Before the first paint: the theme chosen last, else the system's.
{
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = system;
  try {
    document.documentElement.dataset.theme = localStorage.getItem("theme") ?? system;
  } catch {
    // the browser has closed its stores to this site
  }
}
