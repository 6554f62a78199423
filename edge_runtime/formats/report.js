"use strict";
// The page is whole without this: here are only playing, seeking, following and zooming.
const duration = Number(document.body.dataset.duration);
const audio = document.querySelector("audio");
const plot = document.querySelector(".plot");
const head = document.querySelector(".head");
const utterances = Array.from(document.querySelectorAll(".utterances button"));
let current = null;
let zoom = 1;

function follow(seconds) {
  head.style.left = `${(100 * seconds) / duration}%`;
  const now = utterances.find((u) => Number(u.dataset.start) <= seconds && seconds < Number(u.dataset.end)) || null;
  if (now === current) return;
  if (current) current.removeAttribute("aria-current");
  if (now) {
    now.setAttribute("aria-current", "true");
    if (audio && !audio.paused) now.scrollIntoView({ block: "nearest" });
  }
  current = now;
}

function seek(seconds, play) {
  if (audio) {
    audio.currentTime = seconds;
    if (play) audio.play().catch(() => {}); // a browser may want to be asked by its own button first
  }
  follow(seconds);
}

for (const utterance of utterances) {
  utterance.addEventListener("click", () => seek(Number(utterance.dataset.start), true));
}
plot.addEventListener("click", (event) => {
  const box = plot.getBoundingClientRect();
  seek((duration * (event.clientX - box.left)) / box.width, false);
});
for (const button of document.querySelectorAll(".zoom button")) {
  button.addEventListener("click", () => {
    zoom = Math.min(64, Math.max(1, zoom * Number(button.dataset.by)));
    plot.style.width = `${100 * zoom}%`;
    const scroll = plot.parentElement;
    scroll.scrollLeft = head.offsetLeft - scroll.clientWidth / 2;
  });
}
if (audio) audio.addEventListener("timeupdate", () => follow(audio.currentTime));
