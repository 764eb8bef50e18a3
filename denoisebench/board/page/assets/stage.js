// The stage: two panes that zoom and pan together, by mouse, touch and keyboard.
"use strict";

/**
 * @param stage element that takes keys and pointers.
 * @param panes two canvases.
 * @param told {changed, swap, turn, point}: what to do when the view, the order or the slice is to
 *   change, and when the pointer is over a pixel.
 */
function makeStage(stage, panes, told) {
  const MOST = 32;
  const view = { zoom: 1, x: 0.5, y: 0.5, mode: "side", split: 0.5, front: 0 };
  const pictures = [null, null]; // painted canvases
  const pointers = new Map();
  let frame = 0;

  function draw() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => panes.forEach(drawPane));
  }

  function drawPane(canvas, number) {
    if (canvas.parentElement.hidden || !pictures[0]) return;
    const size = canvas.parentElement.clientWidth;
    canvas.style.aspectRatio = `${pictures[0].width} / ${pictures[0].height}`;
    const sharp = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(size * sharp));
    const height = Math.max(1, Math.round((width * pictures[0].height) / pictures[0].width));
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = width * view.zoom < 2 * pictures[0].width;
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    const scale = (width / pictures[0].width) * view.zoom;
    const put = (picture) => {
      if (!picture) return;
      context.setTransform(scale, 0, 0, scale,
        width / 2 - view.x * picture.width * scale, height / 2 - view.y * picture.height * scale);
      context.drawImage(picture, 0, 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
    };
    if (view.mode === "side") return put(pictures[number]);
    if (view.mode === "blink") return put(pictures[view.front]);
    put(pictures[0]);
    const at = Math.round(view.split * width);
    context.save();
    context.beginPath();
    context.rect(at, 0, width - at, height);
    context.clip();
    put(pictures[1]);
    context.restore();
    context.fillStyle = "#ffd400";
    context.fillRect(at - sharp, 0, 2 * sharp, height);
  }

  function held() {
    view.zoom = Math.min(MOST, Math.max(1, view.zoom));
    const half = 0.5 / view.zoom; // the picture fills the pane
    view.x = Math.min(1 - half, Math.max(half, view.x));
    view.y = Math.min(1 - half, Math.max(half, view.y));
    stage.classList.toggle("near", view.zoom > 1);
    draw();
    told.changed();
  }

  /** Zoom so that the point at shares (x, y) of a pane stays where it is. */
  function zoomBy(factor, x = 0.5, y = 0.5) {
    const before = view.zoom;
    view.zoom = Math.min(MOST, Math.max(1, before * factor));
    view.x += (x - 0.5) * (1 / before - 1 / view.zoom);
    view.y += (y - 0.5) * (1 / before - 1 / view.zoom);
    held();
  }

  function pan(x, y) {
    view.x += x / view.zoom;
    view.y += y / view.zoom;
    held();
  }

  function fit() {
    Object.assign(view, { zoom: 1, x: 0.5, y: 0.5 });
    held();
  }

  function shares(event, canvas) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  const KEYS = {
    ArrowLeft: () => pan(-0.1, 0), ArrowRight: () => pan(0.1, 0),
    ArrowUp: () => pan(0, -0.1), ArrowDown: () => pan(0, 0.1),
    "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: fit,
    x: told.swap, PageUp: () => told.turn(-1), PageDown: () => told.turn(1),
  };

  stage.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  panes.forEach((canvas) => {
    canvas.addEventListener("wheel", (event) => {
      // Without focus the wheel scrolls the page, as everywhere; a trackpad's pinch comes with ctrl.
      if (document.activeElement !== stage && !event.ctrlKey) return;
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / (event.ctrlKey ? 100 : 400)), ...shares(event, canvas));
    }, { passive: false });

    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
      view.dragging = view.mode === "slider" && pointers.size === 1
        && Math.abs(shares(event, canvas)[0] - view.split) < 0.05;
    });

    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = shares(event, canvas);
      const last = pointers.get(event.pointerId);
      if (!last) return told.point(view.x + (x - 0.5) / view.zoom, view.y + (y - 0.5) / view.zoom);
      const box = canvas.getBoundingClientRect();
      if (view.dragging) {
        view.split = Math.min(1, Math.max(0, x));
        draw();
        told.changed();
      } else if (pointers.size === 1) {
        pan((last.clientX - event.clientX) / box.width, (last.clientY - event.clientY) / box.height);
      } else {
        const other = [...pointers.values()].find((each) => each.pointerId !== event.pointerId);
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        const middle = { clientX: (event.clientX + other.clientX) / 2,
                         clientY: (event.clientY + other.clientY) / 2 };
        zoomBy(apart(event) / Math.max(1, apart(last)), ...shares(middle, canvas));
      }
      pointers.set(event.pointerId, event);
    });

    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
  });

  new ResizeObserver(draw).observe(stage);

  return {
    view, draw, fit, zoomBy,
    show(a, b) {
      [pictures[0], pictures[1]] = [a, b];
      draw();
    },
  };
}
