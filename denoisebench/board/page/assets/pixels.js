// Slices as numbers: fetched when they are looked at, unpacked, and turned into maps.
"use strict";

const denoisebench = (() => {
  const waiting = new Map(); // key → what to do once its script has run
  const slices = new Map(); // key → promise of {rows, columns, hu}
  const MOST_KEPT = 24; // of 1 MiB each at 512 × 512

  /** Called by the scripts below pictures/. */
  function register(key, rows, columns, packed) {
    waiting.get(key)?.({ rows, columns, packed });
    waiting.delete(key);
  }

  /** Load a slice once; the promise fails where its file is not there. */
  function load(key, facts) {
    if (!slices.has(key)) {
      const slice = fetched(key).then((raw) => unpacked(raw, facts));
      slice.catch(() => slices.delete(key));
      slices.set(key, slice);
      if (slices.size > MOST_KEPT) slices.delete(slices.keys().next().value);
    }
    return slices.get(key);
  }

  function fetched(key) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(key, (raw) => {
        script.remove();
        resolve(raw);
      });
      script.addEventListener("error", () => reject(new Error(`${key} is not there`)));
      script.src = `pictures/${key}.js`;
      document.head.append(script);
    });
  }

  /** Undo pixels.py's pack: high bytes, then low ones, zigzag, differences of neighbours. */
  async function unpacked({ rows, columns, packed }, facts) {
    const text = atob(packed);
    const deflated = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const count = rows * columns;
    const steps = new Uint16Array(count);
    const hu = new Float32Array(count);
    for (let y = 0, i = 0; y < rows; y++) {
      let across = 0;
      for (let x = 0; x < columns; x++, i++) {
        const zigzag = (bytes[i] << 8) | bytes[count + i];
        across += (zigzag >> 1) ^ -(zigzag & 1);
        steps[i] = across + (y ? steps[i - columns] : 0);
        hu[i] = steps[i] * facts.step + facts.offset;
      }
    }
    return { rows, columns, hu };
  }

  /** Difference of two slices, in HU. */
  function minus(one, other) {
    return { ...one, hu: one.hu.map((value, i) => value - other.hu[i]) };
  }

  /**
   * Smooth a residual and divide it by the deviation that white noise would have: exactly 1 in
   * every pixel, borders too, where part of the Gaussian is cut off. Inside, the deviation is
   * noise / (2 · smooth · √π).
   */
  function zMap({ rows, columns, hu }, noise, smooth) {
    const reach = Math.ceil(3 * smooth);
    const weights = Array.from({ length: 2 * reach + 1 }, (_, i) =>
      Math.exp(-((i - reach) ** 2) / (2 * smooth ** 2)));
    const across = new Float32Array(hu.length);
    const both = new Float32Array(hu.length);
    along(hu, across, columns, 1, rows, columns);
    along(across, both, rows, columns, columns, 1);
    return { rows, columns, hu: both.map((value) => value / noise) };

    function along(from, to, length, step, lines, stride) {
      for (let at = 0; at < length; at++) {
        const first = Math.max(0, at - reach);
        const last = Math.min(length - 1, at + reach);
        let power = 0;
        for (let k = first; k <= last; k++) power += weights[k - at + reach] ** 2;
        const scale = 1 / Math.sqrt(power);
        for (let line = 0; line < lines; line++) {
          let sum = 0;
          for (let k = first; k <= last; k++) {
            sum += weights[k - at + reach] * from[line * stride + k * step];
          }
          to[line * stride + at * step] = sum * scale;
        }
      }
    }
  }

  /** Paint values between low and high: grey, or blue – white – red. */
  function painted({ rows, columns, hu }, low, high, diverging) {
    const image = new ImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    const colours = Array.from({ length: 256 }, (_, i) => colour(i / 255, diverging));
    const scale = 255 / (high - low);
    for (let i = 0; i < hu.length; i++) {
      const level = (hu[i] - low) * scale;
      words[i] = colours[level < 0 ? 0 : level > 255 ? 255 : Math.round(level)];
    }
    const canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  function colour(share, diverging) {
    const ends = diverging
      ? share < 0.5
        ? [[33, 102, 172], [247, 247, 247], 2 * share]
        : [[247, 247, 247], [178, 24, 43], 2 * share - 1]
      : [[0, 0, 0], [255, 255, 255], share];
    const [red, green, blue] = ends[0].map((from, i) => from + (ends[1][i] - from) * ends[2]);
    return (255 << 24 | Math.round(blue) << 16 | Math.round(green) << 8 | Math.round(red)) >>> 0;
  }

  return { register, load, minus, zMap, painted };
})();
