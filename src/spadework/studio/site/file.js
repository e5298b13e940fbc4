// Opened from the disk, where browsers let no page load what it is made of: says what to do.

if (location.protocol === "file:") {
  addEventListener("DOMContentLoaded", () => {
    const note = document.createElement("p");
    note.id = "from-disk";
    note.setAttribute("role", "alert");
    note.textContent = "Browsers run no studio from the disk. In the folder of this page type python3 -m http.server and open http://127.0.0.1:8000/ instead.";
    document.body.prepend(note);
  });
}
