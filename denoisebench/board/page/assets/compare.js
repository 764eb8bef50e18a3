// The comparison: which methods, which slice, which window; what is chosen stands in the address.
"use strict";

(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const $ = (id) => document.getElementById(id);
  const SMOOTH = 4; // pixels, of the z-map
  const MAPS = { error: [50, "HU", "−50 HU (too dark) … +50 HU (too bright)"],
                 z: [6, "", "z of −6 (added) … +6 (taken away)"] };
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const keys = facts.painters.map((painter) => painter.key);
  const chosen = { a: 0, b: 0, slice: 0, show: "picture", ...facts.presets[0] };
  let shown = []; // numbers of A and B, for the readout
  let turn = 0; // of the latest request, so that a slow one does not overwrite it
  let timer = 0;

  const stage = makeStage($("stage"), [$("pane-a"), $("pane-b")], {
    changed: () => { $("divider").value = 100 * stage.view.split; },
    swap, turn: move, point,
  });

  function fill(select, names) {
    select.replaceChildren(...names.map((name, i) => new Option(name, i)));
  }

  function start() {
    fill($("a"), facts.painters.map((painter) => painter.name));
    fill($("b"), facts.painters.map((painter) => painter.name));
    fill($("slice"), facts.slices.map((slice) => slice.label));
    fill($("preset"), facts.presets.map(presetName));
    facts.presets.forEach((preset, i) => { $("preset").options[i].disabled = !preset.usable; });
    $("preset").add(new Option("as set below", "own"));
    chosen.a = keys.length > 2 ? 2 : 1; // the best row
    read();
    const narrow = matchMedia("(max-width: 40rem)").matches;
    layout(new URLSearchParams(location.hash.slice(1)).get("mode") || (narrow ? "slider" : "side"));
    for (const element of document.querySelectorAll(".controls, .under, #stage")) {
      element.hidden = false;
    }
    $("scale").hidden = true;
    for (const id of ["a", "b", "slice"]) {
      $(id).addEventListener("change", () => { chosen[id] = Number($(id).value); look(); });
    }
    $("swap").addEventListener("click", swap);
    $("previous").addEventListener("click", () => move(-1));
    $("next").addEventListener("click", () => move(1));
    $("zoom-in").addEventListener("click", () => stage.zoomBy(1.5));
    $("zoom-out").addEventListener("click", () => stage.zoomBy(1 / 1.5));
    $("fit").addEventListener("click", stage.fit);
    $("divider").addEventListener("input", () => {
      stage.view.split = $("divider").value / 100;
      stage.draw();
    });
    $("blink").addEventListener("click", () => (still ? flip() : blink(!timer)));
    $("preset").addEventListener("change", () => {
      const { level, width } = facts.presets[$("preset").value] ?? chosen;
      Object.assign(chosen, { level, width });
      paint();
    });
    for (const id of ["level", "width"]) {
      $(id).addEventListener("input", () => { chosen[id] = Number($(id).value); paint(); });
    }
    for (const input of document.querySelectorAll("[name=mode]")) {
      input.addEventListener("change", () => { layout(input.value); remember(); });
    }
    for (const input of document.querySelectorAll("[name=show]")) {
      input.addEventListener("change", () => { chosen.show = input.value; look(); });
    }
    addEventListener("hashchange", () => { read(); look(); });
    look();
  }

  function presetName({ name, width, level, note }) {
    return `${name}: W ${width}, L ${level}${note ? ` (${note})` : ""}`;
  }

  /** Take from the address what is valid there. */
  function read() {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const id of ["a", "b"]) {
      if (keys.includes(asked.get(id))) chosen[id] = keys.indexOf(asked.get(id));
    }
    const slice = facts.slices.findIndex((each) => each.key === asked.get("slice"));
    if (slice >= 0) chosen.slice = slice;
    if (["picture", "error", "z"].includes(asked.get("show"))) chosen.show = asked.get("show");
    document.querySelector(`[name=show][value=${chosen.show}]`).checked = true;
  }

  function remember() {
    const words = new URLSearchParams({
      a: keys[chosen.a], b: keys[chosen.b], slice: facts.slices[chosen.slice].key,
      mode: stage.view.mode, show: chosen.show,
    });
    history.replaceState(null, "", `#${words}`);
  }

  function layout(mode) {
    if (!["side", "slider", "blink"].includes(mode)) mode = "side";
    stage.view.mode = mode;
    document.querySelector(`[name=mode][value=${mode}]`).checked = true;
    $("stage").dataset.mode = mode;
    $("divider-label").hidden = mode !== "slider";
    $("blink").hidden = mode !== "blink";
    $("pane-b").parentElement.hidden = mode !== "side";
    blink(mode === "blink" && !still);
    captions();
    stage.draw();
  }

  function blink(on) {
    clearInterval(timer);
    timer = on ? setInterval(flip, 700) : 0;
    if (!on && stage.view.mode !== "blink") stage.view.front = 0;
    $("blink").textContent = still ? "Show the other" : on ? "Pause blinking" : "Blink";
  }

  function flip() {
    stage.view.front = 1 - stage.view.front;
    captions();
    stage.draw();
  }

  function swap() {
    [chosen.a, chosen.b] = [chosen.b, chosen.a];
    look();
  }

  function move(by) {
    const count = facts.slices.length;
    chosen.slice = (chosen.slice + by + count) % count;
    look();
  }

  function slice(painter) {
    return denoisebench.load(`${facts.folder}/${facts.slices[chosen.slice].key}/${painter}`, facts);
  }

  async function numbers(painter) {
    const own = await slice(painter);
    if (chosen.show === "error") return denoisebench.minus(own, await slice("clean"));
    if (chosen.show !== "z") return own;
    return denoisebench.zMap(denoisebench.minus(await slice("noisy"), own), facts.sigma, SMOOTH);
  }

  /** Load what is chosen and show it. */
  async function look() {
    const mine = ++turn;
    for (const id of ["a", "b", "slice"]) $(id).value = chosen[id];
    remember();
    $("status").textContent = "Loading …";
    $("stage").ariaBusy = "true";
    try {
      const found = await Promise.all([numbers(keys[chosen.a]), numbers(keys[chosen.b])]);
      if (mine !== turn) return;
      shown = found;
      $("status").textContent = notes();
      captions();
      paint();
      $("stage").ariaBusy = "false";
    } catch (error) {
      if (mine !== turn) return;
      $("status").textContent = `This picture cannot be shown: ${error.message}.`;
      $("stage").ariaBusy = "false";
    }
  }

  function notes() {
    const told = [facts.painters[chosen.a], facts.painters[chosen.b]];
    return told.filter(({ note }) => note).map(({ name, note }) => `${name}: ${note}.`).join(" ");
  }

  function paint() {
    const map = MAPS[chosen.show];
    const [low, high] = map ? [-map[0], map[0]]
      : [chosen.level - chosen.width / 2, chosen.level + chosen.width / 2];
    stage.show(...shown.map((each) => denoisebench.painted(each, low, high, Boolean(map))));
    $("scale").hidden = !map;
    if (map) legend(map[2]);
    for (const id of ["level", "width"]) {
      $(id).value = chosen[id];
      $(id).disabled = Boolean(map);
      $(`${id}-value`).textContent = `${chosen[id]} HU`;
    }
    $("preset").disabled = Boolean(map);
    const same = ({ width, level }) => width === chosen.width && level === chosen.level;
    const preset = facts.presets.findIndex(same);
    $("preset").value = preset < 0 ? "own" : preset;
  }

  function legend(text) {
    const ramp = { rows: 1, columns: 120, hu: Float32Array.from({ length: 120 }, (_, i) => i) };
    const bar = denoisebench.painted(ramp, 0, 119, true);
    $("colours").getContext("2d").drawImage(bar, 0, 0, 120, 12);
    $("scale-text").textContent = text;
  }

  function captions() {
    const { mode, front } = stage.view;
    const names = [caption("A", chosen.a), caption("B", chosen.b)];
    $("caption-a").textContent = mode === "slider" ? `${names[0]}   |   ${names[1]}`
      : mode === "blink" ? names[front] : names[0];
    $("caption-b").textContent = names[1];
  }

  function caption(letter, number) {
    const painter = facts.painters[number];
    const psnr = painter.psnr[chosen.slice];
    return `${letter}: ${painter.name}${psnr === null ? "" : ` · ${psnr.toFixed(2)} dB`}`;
  }

  function point(x, y) {
    if (!shown.length || x < 0 || y < 0 || x >= 1 || y >= 1) return;
    const { rows, columns } = shown[0];
    const [column, row] = [Math.floor(x * columns), Math.floor(y * rows)];
    const unit = MAPS[chosen.show] ? MAPS[chosen.show][1] : "HU";
    const values = shown.map(({ hu }) => hu[row * columns + column].toFixed(1));
    $("readout").textContent =
      `column ${column}, row ${row}: A ${values[0]} ${unit}, B ${values[1]} ${unit}`;
  }

  start();
})();
