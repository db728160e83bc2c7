/* Pictures of the pages are smaller than they are: each leads to itself. */
document.addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll(".bd-article img")) {
    if (image.closest("a")) continue;
    const link = document.createElement("a");
    link.href = image.src;
    link.title = "in its full size";
    image.replaceWith(link);
    link.append(image);
  }
});
