/* Paint a mask, and see the picture restored.
 *
 * The same module runs in the page of `skinpaint paint` and in notebooks (anywidget). It talks to Python through a small
 * model: get, set, save_changes, send and on. The truth is in Python: this module sends points, and shows the pixels that
 * come back. Coordinates are pixels of the image; x goes right, y down, and the first pixel reaches from 0 to 1.
 */

/* ------------------------------------------------------------------ helpers */

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const counted = (number, unit) => `${number.toLocaleString("en")} ${unit}${number === 1 ? "" : "s"}`;

/** An element with properties, attributes (in snake case after "attr"), listeners and children. */
function make(tag, { attrs = {}, on = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attrs)) element.setAttribute(name, value);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** A drawing of 24 x 24 units, for buttons. */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "path");
  drawing.setAttribute("d", path);
  svg.append(drawing);
  return svg;
}

const ICONS = {
  brush: "M20 3 10 13M7.5 13.5c-2 0-3 1.500-3 3.500 0 1.500-1 2-2 2.500 3 2 8 1 8-3 0-2-1.500-3-3-3z",
  erase: "M4 15 14 5l6 6-9 9H8zM9 10l6 6M11 20h9",
  rectangle: "M4 6h16v12H4z",
  polygon: "M12 3 21 10 17.500 20h-11L3 10z",
  similar: "M13 6 18 11M15.500 3.500a2 2 0 0 1 3 0l2 2a2 2 0 0 1 0 3L12 17l-5 2-2-2 2-5zM4 21h.01",
  pan: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  undo: "M9 7 4 12l5 5M4 12h11a5 5 0 0 1 0 10h-3",
  redo: "M15 7l5 5-5 5M20 12H9a5 5 0 0 0 0 10h3",
  split: "M12 3v18M4 6h4v12H4zM16 6h4v12h-4z",
  eye: "M2 12c4-7 16-7 20 0-4 7-16 7-20 0zM12 9a3 3 0 1 0 .01 0z",
  mask: "M12 3 21 8l-9 5-9-5zM3 12l9 5 9-5M3 16l9 5 9-5",
  save: "M12 3v12M7 10l5 5 5-5M4 20h16",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  more: "M4 7h16M4 12h16M4 17h16",
  keys: "M9.500 9a2.500 2.500 0 1 1 3.500 2.300c-.700.400-1 .900-1 1.700M12 17h.01M12 3a9 9 0 1 0 .01 0z",
};

/* -------------------------------------------------------- the model of a page */

/** The model that anywidget gives to a notebook, for the page of `skinpaint paint`. */
class PageModel {
  constructor() {
    this.values = {};
    this.listeners = {};
    this.waiting = [];
    this.sending = false;
    this.page = null;
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
  }

  save_changes() {
    this.send({ do: "prefer", preferences: this.values.preferences });
  }

  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  emit(event, ...values) {
    for (const listener of this.listeners[event] ?? []) listener(...values);
  }

  /** Messages leave one after another, in order. Those that wait for an answer to the last one leave together. */
  send(message, callbacks, buffers = []) {
    this.waiting.push([message, buffers]);
    if (!this.sending) this.flush();
  }

  async flush() {
    this.sending = true;
    while (this.waiting.length && this.page !== null) {
      const alone = this.waiting.findIndex(([, buffers]) => buffers.length > 0);
      const batch = this.waiting.splice(0, alone < 0 ? this.waiting.length : Math.max(alone, 1));
      const buffers = batch.length === 1 ? batch[0][1] : [];
      try {
        const answer = await fetch("/say", {
          method: "POST",
          headers: { "Content-Type": "application/x-skinpaint", "X-Page": this.page },
          body: packed(batch.map(([message]) => message), buffers),
        });
        if (!answer.ok) this.emit("msg:custom", { say: "error", text: await answer.text() }, []);
      } catch {
        this.waiting.unshift(...batch);
        break; // the stream notices, too, and joins again
      }
    }
    this.sending = false;
  }

  /** Read messages from the server as long as it is there. */
  async listen() {
    for (let failures = 0; failures < 20; failures++) {
      try {
        const answer = await fetch("/stream", { cache: "no-store" });
        if (!answer.ok) {
          this.emit("closed", await answer.text());
          return;
        }
        await this.read(answer.body.getReader());
        failures = 0;
      } catch {
        /* the connection broke */
      }
      this.page = null;
      this.emit("broken");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    this.emit("closed", "skinpaint has ended. What was saved is on the disk.");
  }

  async read(reader) {
    let bytes = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes = joined(bytes, value);
      for (;;) {
        if (bytes.length < 8) break;
        const head = new DataView(bytes.buffer, bytes.byteOffset, 8);
        const length = head.getUint32(0, true);
        const end = 8 + head.getUint32(4, true);
        if (bytes.length < end) break;
        const { message, sizes } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
        let at = 8 + length;
        const buffers = sizes.map((size) => {
          at += size;
          return new DataView(bytes.buffer, bytes.byteOffset + at - size, size);
        });
        this.hear(message, buffers);
        bytes = bytes.subarray(end);
      }
    }
  }

  hear(message, buffers) {
    if (message.say === "welcome") {
      this.page = message.page;
      this.emit("joined");
      this.flush();
    } else if (message.say !== "ping") {
      this.emit("msg:custom", message, buffers);
    }
  }
}

function joined(first, second) {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** A message as bytes. A Blob would be read by another process of the browser first, which takes milliseconds. */
function packed(message, buffers) {
  const text = new TextEncoder().encode(JSON.stringify({ message, sizes: buffers.map((each) => each.byteLength) }));
  const size = buffers.reduce((sum, each) => sum + each.byteLength, text.length);
  const bytes = new Uint8Array(8 + size);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, text.length, true);
  head.setUint32(4, size, true);
  bytes.set(text, 8);
  let at = 8 + text.length;
  for (const each of buffers) {
    bytes.set(new Uint8Array(each), at);
    at += each.byteLength;
  }
  return bytes;
}

/* ------------------------------------------------------------ tiles of pixels */

const MASK = [224, 30, 90]; // colours over the picture: what is missing,
const PROPOSED = [20, 110, 235]; // and what is proposed
const MAX_TILES = 160;

/** For each value of the fourth byte, the colour over the picture as one little-endian number. */
const OVERLAY = Uint32Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0) return 0;
  const [red, green, blue] = byte >= 128 ? PROPOSED : MASK;
  const alpha = byte >= 128 ? 255 : byte * 2 + 1;
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
});

/** What came from Python: for each tile of each level the picture after and before, and what is over it. */
class Tiles {
  constructor(side) {
    this.side = side;
    this.tiles = new Map();
    this.asked = new Set();
  }

  static key(level, row, column) {
    return `${level}/${row}/${column}`;
  }

  clear() {
    this.tiles.clear();
    this.asked.clear();
  }

  /** A whole tile. */
  put(level, row, column, [top, left, bottom, right], buffers) {
    const key = Tiles.key(level, row, column);
    const width = right - left;
    const height = bottom - top;
    const tile = { level, top, left, width, height, after: canvas(width, height), over: canvas(width, height) };
    draw(tile, buffers[0], width, height, 0, 0);
    tile.before = buffers.length > 1 ? canvas(width, height) : null; // null: the same as after
    if (tile.before) tile.before.getContext("2d").putImageData(opaque(buffers[1], width, height), 0, 0);
    this.tiles.delete(key);
    this.tiles.set(key, tile);
    this.asked.delete(key);
    while (this.tiles.size > MAX_TILES) this.tiles.delete(this.tiles.keys().next().value);
  }

  /** Pixels of a box of a level. Other tiles that show the changed part of the image are stale then. */
  patch(level, dirty, box, pixels) {
    for (const tile of this.tiles.values()) {
      const scale = 2 ** tile.level;
      const bounds = [tile.top, tile.left, tile.top + tile.height, tile.left + tile.width];
      const changed = overlap(bounds, dirty.map((side, k) => (k < 2 ? Math.floor(side / scale) : Math.ceil(side / scale))));
      if (!changed) continue;
      const seen = tile.level === level && box ? overlap(changed, box) : null;
      if (seen) {
        tile.before ??= copy(tile.after);
        const [top, left, bottom, right] = seen;
        draw(tile, cut(pixels, box, seen), right - left, bottom - top, left - tile.left, top - tile.top);
      }
      if (!seen || seen.some((side, k) => side !== changed[k])) tile.stale = true;
    }
  }
}

function copy(source) {
  const target = canvas(source.width, source.height);
  target.getContext("2d").drawImage(source, 0, 0);
  return target;
}

function canvas(width, height) {
  return make("canvas", { width, height });
}

function overlap(one, other) {
  const common = one.map((side, k) => (k < 2 ? Math.max(side, other[k]) : Math.min(side, other[k])));
  return common[0] < common[2] && common[1] < common[3] ? common : null;
}

/** Four bytes a pixel as numbers, whatever the alignment. */
function words(view) {
  return new Uint32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function cut(view, box, part) {
  if (box.every((side, k) => side === part[k])) return view;
  const all = words(view);
  const width = box[3] - box[1];
  const out = new Uint32Array((part[2] - part[0]) * (part[3] - part[1]));
  let at = 0;
  for (let row = part[0] - box[0]; row < part[2] - box[0]; row++) {
    const line = all.subarray(row * width + part[1] - box[1], row * width + part[3] - box[1]);
    out.set(line, at);
    at += line.length;
  }
  return new DataView(out.buffer);
}

/** Red, green, blue and what is over them: to two canvases. */
function draw(tile, view, width, height, x, y) {
  const source = words(view);
  const after = new Uint32Array(source.length);
  const over = new Uint32Array(source.length);
  for (let k = 0; k < source.length; k++) {
    after[k] = source[k] | 0xff000000;
    over[k] = OVERLAY[source[k] >>> 24];
  }
  const image = (pixels) => new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
  tile.after.getContext("2d").putImageData(image(after), x, y);
  tile.over.getContext("2d").putImageData(image(over), x, y);
}

/** Three bytes a pixel as an opaque image. */
function opaque(view, width, height) {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < view.byteLength; from += 3, to += 4) {
    image.data[to] = view.getUint8(from);
    image.data[to + 1] = view.getUint8(from + 1);
    image.data[to + 2] = view.getUint8(from + 2);
    image.data[to + 3] = 255;
  }
  return image;
}

/* ----------------------------------------------------------------- the picture */

const MAX_SCALE = 64; // screen pixels for a pixel of the image
const STEP = 1.25; // of the zoom

/** Shows the picture on a canvas, and knows which part of it. */
class Stage {
  constructor(app) {
    this.app = app;
    this.scale = 1; // screen pixels (of CSS) for a pixel of the image
    this.x = 0; // where the image begins on the screen
    this.y = 0;
    this.fitted = true;
    this.split = null; // share of the width at which before becomes after
    this.holding = false; // whether only the picture before is shown
    this.echo = []; // points of a stroke that are not seen yet
    this.shape = null; // corners of a rectangle or polygon that is being drawn
    this.cursor = null; // where the brush is
    this.seen = null; // what was last asked for
    this.marks = []; // times of points, by their number, until they are seen
    this.framed = false; // whether the next frame was asked for
    this.stale = true; // what of the picture is to be drawn in it: all, or boxes of the image
    this.tiles = new Tiles(512);
    this.picture = make("canvas", { className: "picture", attrs: { "aria-hidden": "true" } });
    this.canvas = make("canvas", {
      className: "surface",
      tabIndex: 0,
      attrs: { role: "application", "aria-roledescription": "painting", "aria-label": "Picture" },
    });
    this.handle = make("div", {
      className: "handle",
      hidden: true,
      tabIndex: 0,
      attrs: {
        role: "slider",
        "aria-label": "Before and after: how much of the picture is shown as it was",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
      },
    });
    this.hint = make(
      "p",
      { className: "hint", hidden: true },
      "Paint over what is damaged. The picture heals while you paint, and what you leave alone stays as it is.",
    );
    this.element = make("div", { className: "stage" }, this.picture, this.canvas, this.handle, this.hint);
    new ResizeObserver(() => this.resize()).observe(this.element);
    this.listen();
  }

  /* where things are */

  get ratio() {
    return window.devicePixelRatio || 1;
  }

  get size() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  get level() {
    const state = this.app.state;
    return clamp(Math.floor(Math.log2(1 / (this.scale * this.ratio)) + 1e-6), 0, state.levels - 1);
  }

  toImage(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  /** The rectangle of a level that is on the screen. */
  visible(level) {
    const { width, height } = this.size;
    const [left, top] = this.toImage(0, 0);
    const [right, bottom] = this.toImage(width, height);
    const scale = 2 ** level;
    const state = this.app.state;
    return [
      clamp(Math.floor(top / scale), 0, Math.ceil(state.height / scale)),
      clamp(Math.floor(left / scale), 0, Math.ceil(state.width / scale)),
      clamp(Math.ceil(bottom / scale), 0, Math.ceil(state.height / scale)),
      clamp(Math.ceil(right / scale), 0, Math.ceil(state.width / scale)),
    ];
  }

  /* moving */

  resize() {
    const { width, height } = this.size;
    for (const each of [this.picture, this.canvas]) {
      each.width = Math.round(width * this.ratio);
      each.height = Math.round(height * this.ratio);
    }
    if (this.app.state && this.fitted) this.fit();
    this.changed();
  }

  fit() {
    const { width, height } = this.size;
    const { state } = this.app;
    this.scale = Math.min((width - 24) / state.width, (height - 24) / state.height, MAX_SCALE) || 1;
    if (this.scale <= 0) this.scale = 1;
    this.x = (width - state.width * this.scale) / 2;
    this.y = (height - state.height * this.scale) / 2;
    this.fitted = true;
    this.changed();
  }

  zoom(factor, x = this.size.width / 2, y = this.size.height / 2) {
    const { state } = this.app;
    const least = Math.min(0.5, 64 / Math.max(state.width, state.height));
    const scale = clamp(this.scale * factor, least, MAX_SCALE);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.keep();
    this.changed();
  }

  oneToOne() {
    this.zoom(1 / this.ratio / this.scale);
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
    this.fitted = false;
    this.keep();
    this.changed();
  }

  /** Some of the picture stays on the screen. */
  keep() {
    const { width, height } = this.size;
    const { state } = this.app;
    this.x = clamp(this.x, 48 - state.width * this.scale, width - 48);
    this.y = clamp(this.y, 48 - state.height * this.scale, height - 48);
  }

  /** All of the picture is to be drawn. */
  changed() {
    this.stale = true;
    this.frame();
  }

  /** A box of the image is to be drawn. */
  changedIn(box) {
    if (this.stale !== true) this.stale.push(box);
    this.frame();
  }

  /** Draw what is to be drawn, with what is over the picture, in the next frame. Python is told what is on the screen. */
  frame() {
    if (this.framed) return;
    this.framed = true;
    requestAnimationFrame(() => {
      this.framed = false;
      if (!this.app.state) return;
      this.ask();
      this.draw();
      this.drawOver();
      this.place();
      this.measure();
      this.app.showZoom();
    });
  }

  ask() {
    const level = this.level;
    const box = this.visible(level);
    const look = JSON.stringify([level, box, this.app.state.number]);
    if (look !== this.seen) {
      this.seen = look;
      this.app.send({ do: "look", level, box });
    }
    const side = this.tiles.side;
    const wanted = [];
    for (let row = Math.floor(box[0] / side); row * side < box[2]; row++) {
      for (let column = Math.floor(box[1] / side); column * side < box[3]; column++) {
        const key = Tiles.key(level, row, column);
        const tile = this.tiles.tiles.get(key);
        if ((!tile || (tile.stale && !this.app.down)) && !this.tiles.asked.has(key)) {
          this.tiles.asked.add(key);
          wanted.push([row, column]);
        }
      }
    }
    if (wanted.length) this.app.send({ do: "tiles", level, tiles: wanted });
  }

  /* drawing */

  draw() {
    const area = this.staleArea();
    this.stale = [];
    if (!area) return;
    const context = this.picture.getContext("2d");
    const { width } = this.picture;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(area[1], area[0], area[3] - area[1], area[2] - area[0]);
    const cut = this.holding ? width : this.split === null ? 0 : Math.round(this.split * width);
    this.drawPart(context, overlap(area, [0, 0, Infinity, cut]), "before");
    this.drawPart(context, overlap(area, [0, cut, Infinity, Infinity]), "after");
  }

  /** What is to be drawn, in pixels of the screen: one rectangle, or null. */
  staleArea() {
    const { width, height } = this.picture;
    if (this.stale === true) return [0, 0, height, width];
    if (!this.stale.length) return null;
    const sides = [0, 1, 2, 3].map((k) => (k < 2 ? Math.min : Math.max)(...this.stale.map((box) => box[k])));
    const screen = sides.map((side, k) => (side * this.scale + (k % 2 ? this.x : this.y)) * this.ratio);
    // Two pixels of the level more: a pixel changes as a whole, and the ones beside it where the picture is smoothed.
    const more = 2 ** (this.level + 1) * this.scale * this.ratio;
    const around = screen.map((side, k) => (k < 2 ? Math.floor(side - more) : Math.ceil(side + more)));
    return overlap(around, [0, 0, height, width]);
  }

  drawPart(context, area, what) {
    if (!area) return;
    context.save();
    context.beginPath();
    context.rect(area[1], area[0], area[3] - area[1], area[2] - area[0]);
    context.clip();
    const level = this.level;
    const tiles = [...this.tiles.tiles.values()].filter((tile) => tile.level >= level);
    tiles.sort((one, other) => other.level - one.level); // coarse ones below, until the fine ones come
    for (const tile of tiles) this.drawTile(context, area, tile, tile[what] ?? tile.after);
    if (what === "after" && this.app.opacity > 0) {
      context.globalAlpha = this.app.opacity;
      for (const tile of tiles) if (tile.level === level) this.drawTile(context, area, tile, tile.over);
    }
    context.restore();
  }

  drawTile(context, area, tile, source) {
    const scale = 2 ** tile.level * this.scale * this.ratio;
    const x = Math.round(this.x * this.ratio + tile.left * scale);
    const y = Math.round(this.y * this.ratio + tile.top * scale);
    const right = Math.round(this.x * this.ratio + (tile.left + tile.width) * scale);
    const bottom = Math.round(this.y * this.ratio + (tile.top + tile.height) * scale);
    if (!overlap(area, [y, x, bottom, right])) return;
    context.imageSmoothingEnabled = scale < 2;
    context.drawImage(source, x, y, right - x, bottom - y);
  }

  /** What is drawn by hand and not yet seen: the stroke, a shape, and the brush. */
  drawOver() {
    const context = this.canvas.getContext("2d");
    const { ratio } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(this.scale * ratio, 0, 0, this.scale * ratio, this.x * ratio, this.y * ratio);
    if (this.echo.length) this.drawEcho(context);
    if (this.shape) this.drawShape(context);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.cursor) this.drawCursor(context);
  }

  drawEcho(context) {
    context.globalAlpha = Math.max(0.25, this.app.opacity);
    context.strokeStyle = this.app.erasing ? "white" : `rgb(${MASK})`;
    context.lineWidth = this.app.diameter;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    for (const { point } of this.echo) context.lineTo(point[0], point[1]);
    if (this.echo.length === 1) context.lineTo(this.echo[0].point[0] + 1e-3, this.echo[0].point[1]);
    context.stroke();
    context.globalAlpha = 1;
  }

  drawShape(context) {
    const { points, closed, kind } = this.shape;
    const line = 1 / this.scale;
    for (const [colour, width] of [["black", 3 * line], ["white", 1.2 * line]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      if (kind === "rectangle") {
        const [[x0, y0], [x1, y1]] = points;
        const [left, top] = [Math.floor(Math.min(x0, x1)), Math.floor(Math.min(y0, y1))];
        context.rect(left, top, Math.floor(Math.max(x0, x1)) + 1 - left, Math.floor(Math.max(y0, y1)) + 1 - top);
      } else {
        for (const [x, y] of points) context.lineTo(x, y);
        if (closed) context.closePath();
      }
      context.stroke();
    }
  }

  drawCursor(context) {
    const [x, y] = this.cursor;
    const tool = this.app.tool;
    if (tool !== "brush" && tool !== "erase" && !this.app.down) return;
    if (tool === "pan") return;
    const brush = tool === "brush" || tool === "erase";
    const radius = Math.max(2.5, brush ? (this.app.diameter * this.scale) / 2 : 4);
    const centre = [this.x + x * this.scale, this.y + y * this.scale];
    for (const [colour, width] of [["rgba(0, 0, 0, 0.75)", 3], ["white", 1.25]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.setLineDash(this.app.erasing && colour === "white" ? [4, 3] : []);
      context.beginPath();
      context.arc(...centre, radius, 0, 7);
      if (radius > 12) {
        context.moveTo(centre[0] - 3, centre[1]);
        context.lineTo(centre[0] + 3, centre[1]);
        context.moveTo(centre[0], centre[1] - 3);
        context.lineTo(centre[0], centre[1] + 3);
      }
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** Put the handle between before and after in its place. */
  place() {
    this.handle.hidden = this.split === null;
    if (this.split === null) return;
    this.handle.style.left = `${this.split * 100}%`;
    this.handle.setAttribute("aria-valuenow", Math.round(this.split * 100));
  }

  /** How long it took from a point of a stroke until it was seen. The browser keeps the times, as "skinpaint stroke". */
  measure() {
    const seen = this.marks.filter((mark) => mark.seen);
    if (!seen.length) return;
    this.marks = this.marks.filter((mark) => !mark.seen);
    requestAnimationFrame(() => {
      for (const { start } of seen) performance.measure("skinpaint stroke", { start, end: performance.now() });
      if (performance.getEntriesByName("skinpaint stroke").length > 20000) performance.clearMeasures("skinpaint stroke");
    });
  }

  /* what Python says */

  tile(message, buffers) {
    if (message.number !== this.app.state.number) return;
    this.tiles.put(message.level, message.row, message.column, message.box, buffers);
    this.changed();
  }

  patch(message, buffers) {
    if (message.number !== this.app.state.number) return;
    this.app.showMissing(message.missing);
    this.tiles.patch(message.level, message.dirty, message.box, buffers[0]);
    if (message.points === undefined) {
      if (!this.app.down) this.echo = [];
    } else {
      const drop = this.echo.findIndex(({ number }) => number >= message.points);
      this.echo = drop < 0 ? this.echo.slice(-1) : this.echo.slice(Math.max(0, drop - 1));
      for (const mark of this.marks) mark.seen ||= mark.number < message.points;
    }
    this.changedIn(message.dirty);
  }

  /* pointers */

  listen() {
    this.pointers = new Map(); // fingers on the screen
    this.sent = 0; // when the last point that was sent was made
    const surface = this.canvas;
    surface.addEventListener("pointerdown", (event) => this.press(event));
    surface.addEventListener("pointermove", (event) => this.move(event));
    surface.addEventListener("pointerrawupdate", (event) => this.follow(event)); // half a frame earlier, where it exists
    for (const name of ["pointerup", "pointercancel"]) surface.addEventListener(name, (event) => this.release(event));
    surface.addEventListener("pointerleave", () => {
      if (!this.app.down) this.cursor = null;
      this.app.showPlace();
      this.frame();
    });
    surface.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault()); // it would scroll
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
    surface.addEventListener("dblclick", () => this.app.closePolygon());
    this.element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.handle.addEventListener("pointerdown", (event) => {
      this.handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      this.handle.focus();
    });
    this.handle.addEventListener("pointermove", (event) => {
      if (!this.handle.hasPointerCapture(event.pointerId)) return;
      const bounds = this.element.getBoundingClientRect();
      this.split = clamp((event.clientX - bounds.left) / bounds.width, 0, 1);
      this.changed();
    });
    this.handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1 };
      const jump = { Home: 0, End: 1 };
      if (event.key in step) this.split = clamp(this.split + step[event.key], 0, 1);
      else if (event.key in jump) this.split = jump[event.key];
      else return;
      event.preventDefault();
      event.stopPropagation();
      this.changed();
    });
  }

  /** Where an event is, on the screen from the corner of the stage. */
  where(event) {
    const bounds = this.element.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  }

  press(event) {
    const { app } = this;
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.where(event);
    if (event.pointerType === "touch") {
      this.pointers.set(event.pointerId, at);
      if (this.pointers.size === 2) {
        app.lift({ drop: true }); // the first finger did not mean to paint
        this.drag = null;
        return;
      }
      if (this.pointers.size > 2) return;
    }
    if (event.button === 1 || app.spacing || app.tool === "pan") {
      this.drag = at;
      return;
    }
    if (event.button !== 0 && event.button !== 2) return;
    app.press(this.toImage(...at), event);
  }

  move(event) {
    const { app } = this;
    const at = this.where(event);
    if (this.pointers.has(event.pointerId) && this.pointers.size >= 2) return this.pinch(event.pointerId, at);
    if (this.drag) {
      this.pan(at[0] - this.drag[0], at[1] - this.drag[1]);
      this.drag = at;
      return;
    }
    this.cursor = this.toImage(...at);
    this.follow(event);
    app.showPlace();
    this.frame();
  }

  /** Draw on with the points of an event that are new. */
  follow(event) {
    if (this.drag || this.pointers.size >= 2 || !(this.app.down || this.shape)) return;
    const events = event.getCoalescedEvents?.() ?? [];
    const fresh = (events.length ? events : [event]).filter((each) => each.timeStamp > this.sent);
    if (!fresh.length) return;
    this.sent = fresh.at(-1).timeStamp;
    this.app.move(fresh.map((each) => [...this.toImage(...this.where(each)), each]));
  }

  pinch(id, at) {
    const [one, other] = [...this.pointers.keys()].slice(0, 2);
    const before = [this.pointers.get(one), this.pointers.get(other)];
    this.pointers.set(id, at);
    const after = [this.pointers.get(one), this.pointers.get(other)];
    const distance = ([[x0, y0], [x1, y1]]) => Math.hypot(x1 - x0, y1 - y0) || 1;
    const middle = ([[x0, y0], [x1, y1]]) => [(x0 + x1) / 2, (y0 + y1) / 2];
    const [from, to] = [middle(before), middle(after)];
    this.pan(to[0] - from[0], to[1] - from[1]);
    this.zoom(distance(after) / distance(before), ...to);
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    this.drag = null;
    this.app.lift({ drop: event.type === "pointercancel" });
    if (event.pointerType === "touch") this.cursor = null;
    this.changed();
  }

  wheel(event) {
    if (this.app.embedded && !event.ctrlKey && !this.app.root.contains(document.activeElement)) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.deltaX !== 0 && !event.ctrlKey) this.pan(-event.deltaX * unit, -event.deltaY * unit);
    else this.zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0016)), ...this.where(event));
  }
}

/* ------------------------------------------------------------------- the page */

const TOOLS = {
  brush: ["Brush", "B", "Paint over what is damaged"],
  erase: ["Erase", "E", "Take paint away (also: Shift or the right button)"],
  rectangle: ["Rectangle", "R", "Drag from corner to corner"],
  polygon: ["Polygon", "P", "Click the corners; Enter or a double click closes it"],
  similar: ["Similar colours", "F", "Click a colour: connected pixels like it are painted"],
  pan: ["Move", "H", "Drag the picture (also: Space or the middle button)"],
};
const SIZES = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 100, 128, 160, 200, 256, 320, 400];
const METHOD_WORDS = {
  dct: "texture and edges",
  "dct:high": "texture and edges, slower",
  exemplar: "large holes, filled with texture",
  gd: "straight edges, with a proof",
  "gd:classic": "plain gradient descent, to watch",
  laplace: "smooth, exact, at once",
  biharmonic: "smooth slopes",
  reweighted: "straight edges, exact",
  pnp: "repeated structures",
};
const KEYS = [
  ["B, E, R, P, F, H", "the tools"],
  ["[ and ]", "smaller and larger brush"],
  ["Shift, or the right button", "erase"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["wheel, + and −", "zoom"],
  ["Space, middle button, or two fingers", "move the picture"],
  ["0 and 1", "fit, and one pixel for one pixel"],
  ["X", "before and after side by side"],
  ["hold C", "the picture as it was"],
  ["M", "show or hide the mask"],
  ["arrow keys", "move the brush; with Shift further"],
  ["Enter", "put the brush down, and lift it"],
  ["Page Up and Page Down", "the previous and the next picture"],
  ["Ctrl+S", "save the picture"],
];

class App {
  constructor(model, element, embedded) {
    this.model = model;
    this.embedded = embedded;
    this.state = null;
    this.preferences = { diameter: 24, opacity: 25, tolerance: 16, strength: 50, keys: true, pressure: true };
    this.tool = "brush";
    this.down = null; // the stroke that is under way
    this.spacing = false;
    this.hiding = false;
    this.busy = null;
    this.stage = new Stage(this);
    this.root = make("div", { className: `skinpaint${embedded ? " embedded" : ""}`, attrs: { "data-lm-suppress-shortcuts": "true" } });
    this.build();
    element.append(this.root);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("keyup", (event) => this.keyUp(event));
    model.on("msg:custom", (message, buffers) => this.hear(message, buffers));
  }

  /** A message names the picture that is seen: a page may be turned before it arrives. */
  send(message, buffers = []) {
    this.model.send({ number: this.state?.number, ...message }, undefined, buffers);
  }

  /* preferences, which Python keeps for the next load */

  get diameter() {
    return this.preferences.diameter;
  }

  get opacity() {
    return this.hiding || this.stage.holding ? 0 : this.preferences.opacity / 100;
  }

  get erasing() {
    return this.down ? this.down.erase : this.tool === "erase";
  }

  prefer(changes) {
    Object.assign(this.preferences, changes);
    this.showPreferences();
    this.stage.changed();
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      this.model.set("preferences", { ...this.preferences });
      this.model.save_changes();
    }, 300);
  }

  /* painting */

  point(x, y, event) {
    const rounded = [Math.round(x * 100) / 100, Math.round(y * 100) / 100];
    if (event?.pointerType !== "pen" || !this.preferences.pressure) return rounded;
    return [...rounded, Math.round(clamp(event.pressure, 0, 1) * 100) / 100];
  }

  press([x, y], event) {
    const erase = this.tool === "erase" || event.shiftKey || event.button === 2;
    if (event.pointerType === "pen") this.penRow.hidden = false;
    if (this.tool === "brush" || this.tool === "erase") {
      this.begin(this.point(x, y, event), erase);
    } else if (this.tool === "rectangle") {
      this.stage.shape = { kind: "rectangle", points: [[x, y], [x, y]], erase };
      this.stage.changed();
    } else if (this.tool === "polygon") {
      this.stage.shape ??= { kind: "polygon", points: [[x, y]], closed: true, erase };
      this.stage.shape.points.push([x, y]);
      this.stage.changed();
    } else if (this.tool === "similar") {
      const edit = { kind: "similar", points: [this.point(x, y)], tolerance: this.preferences.tolerance, erase };
      this.send({ do: "edit", edit });
    }
  }

  begin(point, erase) {
    this.down = { erase, count: 1 };
    this.stage.hint.hidden = true;
    this.stage.echo = [{ point, number: 0 }];
    this.stage.marks = [];
    this.send({ do: "down", point, diameter: this.diameter, erase });
    this.stage.changed();
  }

  move(points) {
    const { stage } = this;
    if (stage.shape) {
      const [x, y] = points.at(-1);
      if (stage.shape.kind === "rectangle" || stage.shape.points.length > 1) {
        stage.shape.points[stage.shape.points.length - 1] = [x, y];
      }
      return;
    }
    if (!this.down) return;
    const sent = points.map(([x, y, event]) => {
      const point = this.point(x, y, event);
      stage.echo.push({ point, number: this.down.count });
      if (event) stage.marks.push({ number: this.down.count, start: event.timeStamp, seen: false });
      this.down.count += 1;
      return point;
    });
    this.send({ do: "move", points: sent });
  }

  lift({ drop = false } = {}) {
    const { stage } = this;
    if (this.down) {
      this.down = null;
      this.send(drop ? { do: "up", drop } : { do: "up" });
      if (drop) stage.echo = [];
    }
    if (stage.shape?.kind === "rectangle") {
      const { points, erase } = stage.shape;
      stage.shape = null;
      if (!drop) this.send({ do: "edit", edit: { kind: "rectangle", points: points.map(([x, y]) => this.point(x, y)), erase } });
    }
    stage.changed();
  }

  closePolygon() {
    const { shape } = this.stage;
    if (shape?.kind !== "polygon") return;
    this.stage.shape = null;
    const points = shape.points.filter((each, k) => k === 0 || Math.hypot(each[0] - shape.points[k - 1][0], each[1] - shape.points[k - 1][1]) > 0.5);
    if (points.length >= 3) {
      this.send({ do: "edit", edit: { kind: "polygon", points: points.map(([x, y]) => this.point(x, y)), erase: shape.erase } });
    }
    this.stage.changed();
  }

  choose(tool) {
    this.stage.shape = null;
    this.tool = tool;
    for (const [name, button] of Object.entries(this.tools)) button.setAttribute("aria-pressed", name === tool);
    this.root.dataset.tool = tool;
    this.toleranceRow.hidden = tool !== "similar";
    this.say(TOOLS[tool][2]);
    this.stage.changed();
  }

  resizeBrush(step) {
    const other = step > 0 ? SIZES.find((size) => size > this.diameter) : SIZES.findLast((size) => size < this.diameter);
    this.prefer({ diameter: other ?? this.diameter });
    this.say(`Brush of ${counted(this.diameter, "pixel")}`);
  }

  /* keys */

  key(event) {
    const { key } = event;
    const command = event.ctrlKey || event.metaKey;
    const target = event.composedPath()[0];
    const text = ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName) && !["range", "checkbox"].includes(target.type);
    const sliding = target.type === "range";
    const does = (action) => {
      event.preventDefault();
      event.stopPropagation();
      action();
    };
    if (this.embedded) event.stopPropagation(); // the notebook has keys of its own
    if (command && key.toLowerCase() === "z" && !text) return does(() => this.send({ do: event.shiftKey ? "redo" : "undo" }));
    if (command && key.toLowerCase() === "y" && !text) return does(() => this.send({ do: "redo" }));
    if (command && key.toLowerCase() === "s") return does(() => this.save("picture"));
    if (command || event.altKey) return undefined;
    if (key === "Escape") return does(() => this.escape());
    if (target === this.stage.canvas && this.keyOnPicture(event, does)) return undefined;
    if (key === "PageDown" && !text && !sliding) return does(() => this.turn(1));
    if (key === "PageUp" && !text && !sliding) return does(() => this.turn(-1));
    if (text || !this.preferences.keys || this.root.querySelector("dialog[open]")) return undefined;
    const tool = Object.keys(TOOLS).find((name) => TOOLS[name][1].toLowerCase() === key.toLowerCase());
    if (tool) return does(() => this.choose(tool));
    const actions = {
      "[": () => this.resizeBrush(-1),
      "]": () => this.resizeBrush(1),
      "+": () => this.stage.zoom(STEP),
      "=": () => this.stage.zoom(STEP),
      "-": () => this.stage.zoom(1 / STEP),
      0: () => this.stage.fit(),
      1: () => this.stage.oneToOne(),
      x: () => this.toggleSplit(),
      c: () => this.hold(true),
      m: () => this.toggleMask(),
      "?": () => this.help.showModal(),
    };
    if (key.toLowerCase() in actions) does(actions[key.toLowerCase()]);
    return undefined;
  }

  /** Keys that paint, while the picture has the focus. */
  keyOnPicture(event, does) {
    const { stage } = this;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === " ") {
      does(() => this.space(true));
    } else if (event.key in arrows) {
      does(() => {
        const { width, height } = stage.size;
        const step = event.shiftKey ? Math.max(8, this.diameter) : Math.max(1, Math.round(2 / stage.scale));
        const from = stage.cursor ?? stage.toImage(width / 2, height / 2);
        stage.cursor = from.map((each, k) => clamp(each + arrows[event.key][k] * step, 0, [this.state.width, this.state.height][k]));
        if (this.down || stage.shape) this.move([[...stage.cursor, null]]);
        this.showPlace();
        stage.changed();
      });
    } else if (event.key === "Enter") {
      does(() => {
        const { width, height } = stage.size;
        stage.cursor ??= stage.toImage(width / 2, height / 2);
        if (this.down || stage.shape?.kind === "rectangle") {
          this.lift();
          this.say("The brush is up.");
        } else if (stage.shape && event.shiftKey) {
          stage.shape.points.push([...stage.cursor]);
        } else if (stage.shape) {
          this.closePolygon();
        } else {
          this.press(stage.cursor, { shiftKey: event.shiftKey, button: 0 });
          if (this.down) this.say("The brush is down.");
        }
      });
    } else {
      return false;
    }
    return true;
  }

  keyUp(event) {
    if (event.key === " ") this.space(false);
    if (event.key.toLowerCase() === "c") this.hold(false);
  }

  space(down) {
    this.spacing = down;
    this.root.classList.toggle("panning", down);
  }

  escape() {
    if (this.stage.shape) this.stage.shape = null;
    else if (this.down) this.lift({ drop: true });
    else if (this.state.proposal) this.send({ do: "dismiss" });
    else if (!this.compared.hidden) this.closeCompared();
    this.stage.changed();
  }

  /* looking */

  hold(on) {
    this.stage.holding = on;
    this.holdButton.setAttribute("aria-pressed", on);
    this.stage.changed();
  }

  toggleSplit() {
    this.stage.split = this.stage.split === null ? 0.5 : null;
    this.splitButton.setAttribute("aria-pressed", this.stage.split !== null);
    this.stage.changed();
  }

  toggleMask() {
    this.hiding = !this.hiding;
    this.maskButton.setAttribute("aria-pressed", !this.hiding);
    this.stage.changed();
  }

  turn(step) {
    const number = this.state.number + step;
    if (number >= 0 && number < this.state.titles.length) this.send({ do: "open", number });
  }

  save(what, more = {}) {
    if (!this.state.targets) return;
    this.say(`Saving the ${what}…`);
    this.send({ do: "save", what, ...more });
  }

  async load(input) {
    const [file] = input.files;
    const { number } = this.state;
    input.value = "";
    if (file) this.send({ do: "load", number }, [await file.arrayBuffer()]);
  }

  compare() {
    this.compared.hidden = false;
    this.candidates.replaceChildren();
    this.best = null;
    this.comparedTitle.textContent = "Every method on one part of the picture";
    const [top, left, bottom, right] = this.stage.visible(0);
    this.send({ do: "compare", box: [top, left, bottom, right] });
    this.comparedTitle.focus();
  }

  closeCompared() {
    this.compared.hidden = true;
    this.send({ do: "stop comparing" });
    this.compareButton.focus();
  }

  /* what Python says */

  hear(message, buffers) {
    const hears = {
      state: () => this.showState(message.state),
      tile: () => this.state && this.stage.tile(message, buffers),
      changed: () => this.state && this.stage.patch(message, buffers),
      busy: () => this.showBusy(message),
      candidate: () => this.showCandidate(message, buffers),
      thumbnail: () => this.showThumbnail(message, buffers),
      saved: () => this.showSaved(message),
      exists: () => this.ask(message),
      error: () => this.complain(message.text),
      note: () => this.say(message.text),
    };
    hears[message.say]?.();
  }

  showSaved({ name, lossless, blank }) {
    const lossy = lossless ? "" : " JPEG changes every pixel a little; PNG keeps them.";
    const kept = blank.length > 1 ? "they were saved as they are" : "it was saved as it is";
    const left = blank.length ? ` Nothing is known of ${blank.join(" and ")}: ${kept}.` : "";
    this.say(`Saved ${name}.${lossy}${left}`);
  }

  ask({ what, name, number }) {
    this.question.querySelector("p").textContent = `${name} exists. Do you want to replace it?`;
    this.replacing = { what, number };
    this.question.showModal();
  }

  say(text) {
    this.said.textContent = text;
  }

  complain(text) {
    this.alert.hidden = false;
    this.alertText.textContent = text;
    clearTimeout(this.alertTimer);
    this.alertTimer = setTimeout(() => (this.alert.hidden = true), 12000);
  }

  showState(state) {
    const first = this.state === null;
    const other = !first && (state.number !== this.state.number || state.width !== this.state.width);
    this.state = state;
    if (first) {
      this.stage.tiles.side = state.tile;
      Object.assign(this.preferences, this.model.get("preferences") ?? {}, state.preferences);
      this.methodSelect.replaceChildren(
        ...state.methods.map((name) =>
          make("option", { value: name }, METHOD_WORDS[name] ? `${name} – ${METHOD_WORDS[name]}` : name),
        ),
      );
      this.buildStrip();
      this.showPreferences();
      this.choose(this.tool);
      this.settings.open = this.root.clientWidth > 640; // there is no room for both on a phone
      this.stage.resize();
    }
    if (first || other) {
      this.stage.tiles.clear();
      this.stage.seen = null;
      this.stage.echo = [];
      this.stage.shape = null;
      this.stage.fit();
      this.say(state.shownAs || TOOLS[this.tool][2]);
    }
    const title = state.titles[state.number];
    this.title.textContent = title;
    if (!this.embedded) document.title = `${state.unsaved.length ? "• " : ""}${title} – skinpaint`;
    this.stage.canvas.setAttribute(
      "aria-label",
      `${title}, ${state.width} by ${state.height} pixels, ${counted(state.missing, "pixel")} painted. ` +
        "Arrow keys move the brush, Enter puts it down and lifts it.",
    );
    this.undoButton.disabled = !state.canUndo;
    this.redoButton.disabled = !state.canRedo;
    this.clearButton.disabled = this.growButton.disabled = this.compareButton.disabled = state.missing === 0;
    this.methodSelect.value = state.method;
    this.showMissing(state.missing);
    this.proposal.hidden = !state.proposal;
    if (state.proposal) {
      this.proposalText.textContent = `${counted(state.proposal.pixels, "pixel")} proposed, in blue`;
      this.say("Accept the proposal, and erase what does not belong to it.");
    }
    this.saving.hidden = this.saveButton.hidden = !state.targets;
    if (state.targets) {
      for (const [what, button] of Object.entries(this.saveButtons)) button.title = `Write ${state.targets[what]}`;
      this.saveButton.title = `Write ${state.targets.picture} (Ctrl+S)`;
    }
    this.stage.hint.hidden = state.missing > 0 || state.canRedo || state.proposal !== null;
    for (const [number, button] of this.thumbnails.entries()) {
      button.setAttribute("aria-current", number === state.number ? "true" : "false");
      if (number === state.number && (first || other)) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    this.previousButton.disabled = state.number === 0;
    this.nextButton.disabled = state.number === state.titles.length - 1;
    for (const card of this.candidates.querySelectorAll("button")) {
      card.setAttribute("aria-pressed", card.dataset.name === state.method);
    }
    if (first) this.busyText.textContent = "";
  }

  showMissing(missing) {
    const { width, height } = this.state;
    this.missing.textContent = missing
      ? `${counted(missing, "pixel")} painted (${percent(missing / (width * height))})`
      : "Nothing painted";
  }

  showBusy({ busy, done }) {
    clearInterval(this.busyTimer);
    const working = busy.method !== undefined;
    this.root.classList.toggle("busy", working);
    if (working) {
      const began = performance.now();
      const show = () => (this.busyText.textContent = `${busy.method}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
      show();
      this.busyTimer = setInterval(show, 100);
    } else if (done?.settled) {
      this.busyText.textContent = `${this.state.method}: ${done.seconds.toFixed(2)} s`;
      this.busyText.title = done.status ?? "";
      if (done.converged === false) this.complain(done.status);
    }
  }

  showZoom() {
    this.zoomText.textContent = percent(this.stage.scale * this.stage.ratio);
  }

  showPlace() {
    const { cursor } = this.stage;
    const inside = cursor && cursor[0] >= 0 && cursor[1] >= 0 && cursor[0] < this.state.width && cursor[1] < this.state.height;
    this.place.textContent = inside ? `x ${Math.floor(cursor[0])}, y ${Math.floor(cursor[1])}` : "";
  }

  showPreferences() {
    const { preferences } = this;
    this.sizeRange.value = SIZES.findIndex((size) => size >= preferences.diameter);
    this.sizeRange.setAttribute("aria-valuetext", counted(preferences.diameter, "pixel"));
    this.sizeNumber.value = preferences.diameter;
    this.opacityRange.value = preferences.opacity;
    this.toleranceRange.value = preferences.tolerance;
    this.strengthRange.value = preferences.strength;
    this.keysBox.checked = preferences.keys;
    this.pressureBox.checked = preferences.pressure;
    for (const each of [this.opacityRange, this.toleranceRange, this.strengthRange]) each.nextSibling.textContent = each.value;
  }

  showCandidate({ name, height, width, seconds, psnr, error }, buffers) {
    const shown = make("canvas", { width, height, attrs: { "aria-hidden": "true" } });
    if (buffers.length) shown.getContext("2d").putImageData(opaque(buffers[0], width, height), 0, 0);
    if (!name) {
      this.candidates.append(make("div", { className: "card" }, shown, make("strong", {}, "damaged")));
      return;
    }
    const figures = error ?? `${seconds.toFixed(2)} s${psnr === null ? "" : `, predicts ${psnr.toFixed(1)} dB`}`;
    const card = make(
      "button",
      {
        type: "button",
        className: "card",
        disabled: error !== undefined,
        attrs: { "aria-pressed": name === this.state.method, "data-name": name },
        on: { click: () => this.send({ do: "choose", name }) },
      },
      shown,
      make("strong", {}, name),
      make("span", { className: "words" }, METHOD_WORDS[name] ?? ""),
      make("span", { className: "figures" }, figures),
    );
    this.candidates.append(card);
    if (psnr !== undefined && psnr !== null && (this.best === null || psnr > this.best.psnr)) {
      this.best?.card.classList.remove("best");
      card.classList.add("best");
      this.best = { psnr, card };
    }
    this.comparedTitle.textContent = "Every method on one part of the picture: click the best";
  }

  showThumbnail({ number, height, width }, buffers) {
    const shown = make("canvas", { width, height, attrs: { "aria-hidden": "true" } });
    shown.getContext("2d").putImageData(opaque(buffers[0], width, height), 0, 0);
    this.thumbnails[number]?.querySelector("canvas")?.remove();
    this.thumbnails[number]?.prepend(shown);
  }

  /* building */

  button(text, { drawing, key, title, ...rest } = {}, action) {
    return make(
      "button",
      {
        type: "button",
        title: title ?? (key ? `${text} (${key})` : text),
        ...(drawing ? { attrs: { "aria-label": text, ...rest.attrs } } : { attrs: rest.attrs ?? {} }),
        className: `${drawing ? "icon" : ""} ${rest.className ?? ""}`.trim(),
        on: { click: action },
      },
      drawing ? icon(ICONS[drawing]) : text,
    );
  }

  range(label, [low, high], name) {
    const output = make("output", {});
    const input = make("input", {
      type: "range",
      min: low,
      max: high,
      attrs: { "aria-label": label },
      on: { input: () => this.prefer({ [name]: Number(input.value) }) },
    });
    return [make("label", { className: "row" }, make("span", {}, label), input, output), input];
  }

  build() {
    const parts = [this.buildBar(), this.buildTools(), this.buildMiddle(), this.buildPanel(), this.buildStatus()];
    this.root.append(make("div", { className: "desk" }, ...parts), this.buildQuestion(), this.buildHelp());
  }

  buildBar() {
    this.title = make("h1", { className: "title" }, "skinpaint");
    this.previousButton = this.button("Previous picture", { drawing: "previous", key: "Page Up" }, () => this.turn(-1));
    this.nextButton = this.button("Next picture", { drawing: "next", key: "Page Down" }, () => this.turn(1));
    this.turning = make("span", { className: "group", hidden: true }, this.previousButton, this.nextButton);
    this.undoButton = this.button("Undo", { drawing: "undo", key: "Ctrl+Z" }, () => this.send({ do: "undo" }));
    this.redoButton = this.button("Redo", { drawing: "redo", key: "Ctrl+Shift+Z" }, () => this.send({ do: "redo" }));
    this.methodSelect = make("select", {
      title: "How what is painted over is filled",
      attrs: { "aria-label": "Method" },
      on: { change: () => this.send({ do: "choose", name: this.methodSelect.value }) },
    });
    this.compareButton = this.button("Compare", { title: "Show every method's answer, to choose one" }, () => this.compare());
    this.splitButton = this.button(
      "Before and after side by side",
      { drawing: "split", key: "X", attrs: { "aria-pressed": "false" } },
      () => this.toggleSplit(),
    );
    this.holdButton = this.button(
      "Hold to see the picture as it was",
      { drawing: "eye", key: "C", attrs: { "aria-pressed": "false" } },
      () => {},
    );
    this.holdButton.addEventListener("pointerdown", (event) => {
      this.holdButton.setPointerCapture(event.pointerId);
      this.hold(true);
    });
    for (const name of ["pointerup", "pointercancel", "blur"]) this.holdButton.addEventListener(name, () => this.hold(false));
    for (const [name, on] of [["keydown", true], ["keyup", false]]) {
      this.holdButton.addEventListener(name, (event) => {
        if (event.key === " " || event.key === "Enter") this.hold(on);
      });
    }
    this.saveButton = this.button("Save", { className: "primary" }, () => this.save("picture"));
    return make(
      "div",
      { className: "bar", attrs: { role: "toolbar", "aria-label": "Picture and method" } },
      this.title,
      this.turning,
      make("span", { className: "group" }, this.undoButton, this.redoButton),
      make("span", { className: "group method" }, this.methodSelect, this.compareButton),
      make("span", { className: "group" }, this.splitButton, this.holdButton),
      this.saveButton,
    );
  }

  buildTools() {
    this.tools = Object.fromEntries(
      Object.entries(TOOLS).map(([name, [text, key, what]]) => [
        name,
        this.button(text, { drawing: name, title: `${text} (${key}): ${what}`, attrs: { "aria-pressed": "false" } }, () => this.choose(name)),
      ]),
    );
    const help = this.button("Keys and help", { drawing: "keys", key: "?" }, () => this.help.showModal());
    help.classList.add("last");
    return make(
      "div",
      { className: "tools", attrs: { role: "toolbar", "aria-label": "Tools" } },
      ...Object.values(this.tools),
      help,
    );
  }

  buildMiddle() {
    this.alertText = make("span", {});
    this.alert = make(
      "div",
      { className: "alert", hidden: true, attrs: { role: "alert" } },
      this.alertText,
      this.button("Close", {}, () => (this.alert.hidden = true)),
    );
    this.comparedTitle = make("h2", { tabIndex: -1 }, "");
    this.candidates = make("div", { className: "cards" });
    this.compared = make(
      "section",
      { className: "compared", hidden: true, attrs: { "aria-label": "Methods" } },
      make("div", { className: "head" }, this.comparedTitle, this.button("Close", { title: "Close (Escape)" }, () => this.closeCompared())),
      this.candidates,
      make(
        "p",
        { className: "small" },
        "Known pixels were hidden from each method. The more decibels, the better it predicted them; it is a hint and no verdict.",
      ),
    );
    this.thumbnails = [];
    this.strip = make("nav", { className: "strip", hidden: true, attrs: { "aria-label": "Pictures" } });
    return make("div", { className: "middle" }, this.stage.element, this.alert, this.compared, this.strip);
  }

  buildStrip() {
    const { titles } = this.state;
    if (titles.length < 2) return;
    this.strip.hidden = this.turning.hidden = false;
    const ask = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        ask.unobserve(entry.target);
        this.send({ do: "thumbnail", number: Number(entry.target.dataset.number) });
      }
    });
    this.thumbnails = titles.map((title, number) => {
      const button = make(
        "button",
        { type: "button", title, attrs: { "data-number": number }, on: { click: () => this.send({ do: "open", number }) } },
        make("span", {}, title),
      );
      ask.observe(button);
      return button;
    });
    this.strip.append(...this.thumbnails);
  }

  buildPanel() {
    this.sizeRange = make("input", {
      type: "range",
      min: 0,
      max: SIZES.length - 1,
      attrs: { "aria-label": "Size of the brush" },
      on: { input: () => this.prefer({ diameter: SIZES[this.sizeRange.value] }) },
    });
    this.sizeNumber = make("input", {
      type: "number",
      min: 1,
      max: 400,
      attrs: { "aria-label": "Size of the brush in pixels" },
      on: { change: () => this.prefer({ diameter: clamp(Number(this.sizeNumber.value) || 1, 1, 400) }) },
    });
    const size = make("div", { className: "row" }, make("span", {}, "Brush"), this.sizeRange, this.sizeNumber);
    const [opacity, opacityRange] = this.range("Mask, %", [0, 100], "opacity");
    const [tolerance, toleranceRange] = this.range("Tolerance", [0, 128], "tolerance");
    const [strength, strengthRange] = this.range("Sensitivity", [1, 100], "strength");
    Object.assign(this, { opacityRange, toleranceRange, strengthRange, toleranceRow: tolerance });
    toleranceRange.title = "How different a colour may be, from 0 to 255";
    this.pressureBox = make("input", { type: "checkbox", on: { change: () => this.prefer({ pressure: this.pressureBox.checked }) } });
    this.penRow = make("label", { className: "row check", hidden: true }, this.pressureBox, "Pen pressure changes the size");
    this.maskButton = this.button("Show the mask", { drawing: "mask", key: "M", attrs: { "aria-pressed": "true" } }, () => this.toggleMask());
    opacity.append(this.maskButton);
    this.growPixels = make("input", { type: "number", value: 1, min: 1, max: 50, attrs: { "aria-label": "Pixels to grow by" } });
    this.growButton = this.button("Grow by", { title: "Make what is painted wider: damage often reaches further than it seems" }, () =>
      this.send({ do: "edit", edit: { kind: "grow", pixels: clamp(Math.round(Number(this.growPixels.value)) || 1, 1, 50) } }),
    );
    this.clearButton = this.button("Clear", { title: "Take all paint away; Undo brings it back" }, () => this.send({ do: "edit", edit: { kind: "clear" } }));
    const file = make("input", { type: "file", hidden: true, accept: "image/*,.tif,.tiff,.npy", on: { change: () => this.load(file) } });
    file.setAttribute("aria-label", "Mask");
    const load = this.button("Load…", { title: "Add a mask from a picture: bright means missing" }, () => file.click());
    const suggest = (what) => {
      this.say("Looking…");
      this.send({ do: "suggest", edit: { kind: "suggested", what, strength: this.preferences.strength } });
    };
    this.proposalText = make("span", {});
    this.proposal = make(
      "div",
      { className: "proposal", hidden: true, attrs: { role: "group", "aria-label": "Proposal" } },
      this.proposalText,
      make(
        "div",
        { className: "buttons" },
        this.button("Accept", { className: "primary" }, () => this.send({ do: "accept" })),
        this.button("Dismiss", {}, () => this.send({ do: "dismiss" })),
      ),
    );
    this.saveButtons = Object.fromEntries(
      ["picture", "mask", "report"].map((what) => [what, this.button(`${what[0].toUpperCase()}${what.slice(1)}`, {}, () => this.save(what))]),
    );
    this.saving = this.part("Save", make("div", { className: "buttons" }, ...Object.values(this.saveButtons)));
    this.zoomText = make("output", { className: "zoom" });
    const zoom = make(
      "div",
      { className: "buttons" },
      this.button("−", { title: "Zoom out (−)", attrs: { "aria-label": "Zoom out" } }, () => this.stage.zoom(1 / STEP)),
      this.zoomText,
      this.button("+", { title: "Zoom in (+)", attrs: { "aria-label": "Zoom in" } }, () => this.stage.zoom(STEP)),
      this.button("Fit", { key: "0" }, () => this.stage.fit()),
      this.button("1:1", { title: "A pixel for a pixel (1)", attrs: { "aria-label": "1:1, a pixel for a pixel" } }, () => this.stage.oneToOne()),
    );
    const body = make(
      "div",
      { className: "parts" },
      this.part("Paint", size, tolerance, this.penRow),
      this.part(
        "Mask",
        opacity,
        make("div", { className: "buttons" }, make("span", { className: "joined" }, this.growButton, this.growPixels), this.clearButton, load, file),
      ),
      this.part(
        "Suggest",
        make(
          "div",
          { className: "buttons" },
          this.button("Hairlines", { title: "Propose thin bright and dark lines, such as scratches and hairs" }, () => suggest("hairlines")),
          this.button("Saturated", { title: "Propose pixels at the lowest and the highest value" }, () => suggest("saturated")),
        ),
        strength,
        this.proposal,
      ),
      this.part("View", zoom),
      this.saving,
    );
    this.settings = make("details", { className: "panel", open: true }, make("summary", {}, "Settings"), body);
    return this.settings;
  }

  part(title, ...children) {
    return make("section", { className: "part", attrs: { "aria-label": title } }, make("h2", {}, title), ...children);
  }

  buildStatus() {
    this.said = make("span", { className: "said", attrs: { role: "status" } });
    this.missing = make("span", {});
    this.place = make("span", { className: "place" });
    this.busyText = make("span", { className: "time" });
    return make(
      "div",
      { className: "status" },
      this.said,
      this.place,
      this.missing,
      make("span", { className: "work" }, make("span", { className: "spinner", attrs: { "aria-hidden": "true" } }), this.busyText),
    );
  }

  buildQuestion() {
    const close = (replace) => {
      this.question.close();
      if (replace) this.save(this.replacing.what, { replace, number: this.replacing.number });
      else this.say("Nothing was written.");
    };
    this.question = make(
      "dialog",
      { attrs: { "aria-label": "Replace a file" } },
      make("p", {}),
      make("div", { className: "buttons" }, this.button("Cancel", {}, () => close(false)), this.button("Replace", { className: "primary" }, () => close(true))),
    );
    return this.question;
  }

  buildHelp() {
    this.keysBox = make("input", { type: "checkbox", on: { change: () => this.prefer({ keys: this.keysBox.checked }) } });
    this.help = make(
      "dialog",
      { className: "help", attrs: { "aria-label": "Keys and help" } },
      make("h2", {}, "Keys"),
      make("dl", {}, ...KEYS.flatMap(([keys, what]) => [make("dt", {}, keys), make("dd", {}, what)])),
      make("label", { className: "check" }, this.keysBox, "Single keys, such as B, are shortcuts"),
      make("div", { className: "buttons" }, this.button("Close", { className: "primary" }, () => this.help.close())),
    );
    return this.help;
  }
}

function percent(share) {
  const number = 100 * share;
  return `${number >= 10 ? number.toFixed(0) : number >= 0.1 ? number.toFixed(1) : number.toPrecision(1)} %`;
}

/* -------------------------------------------------------------------- starting */

/** The page of `skinpaint paint`. */
function start(element) {
  const model = new PageModel();
  const app = new App(model, element, false);
  model.on("joined", () => {
    app.root.classList.remove("broken");
    app.stage.tiles.asked.clear();
    app.stage.seen = null;
    app.send({ do: "hello" });
    app.stage.changed();
  });
  model.on("broken", () => app.root.classList.add("broken"));
  model.on("closed", (text) => {
    app.root.classList.add("broken");
    app.state = app.state && { ...app.state, unsaved: [] };
    app.complain(text);
    clearTimeout(app.alertTimer);
  });
  window.addEventListener("keydown", (event) => event.target === document.body && app.key(event));
  window.addEventListener("keyup", (event) => event.target === document.body && app.keyUp(event));
  window.addEventListener("beforeunload", (event) => {
    if (app.state?.unsaved.length) event.preventDefault();
  });
  model.listen();
}

/** A widget in a notebook. */
function render({ model, el }) {
  const app = new App(model, el, true);
  app.root.style.height = `${model.get("height") ?? 560}px`;
  app.send({ do: "hello" });
}

const page = globalThis.document?.getElementById("skinpaint-page");
if (page) start(page);

export default { render };
