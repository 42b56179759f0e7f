// What a reader could not read on the page as it is laid out now: a list of sentences, empty if all is well.
((printed) => {
  const wrong = [];
  const named = (node) => {
    const one = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    const kind = one.tagName.toLowerCase() + (one.getAttribute("class") ? "." + one.getAttribute("class").split(" ").join(".") : "");
    return `${kind} "${(node.textContent || "").trim().replace(/\s+/g, " ").slice(0, 50)}"`;
  };
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) wrong.push(`the page is ${root.scrollWidth} pixels wide, and the window ${innerWidth}`);

  const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
  const within = (one) => { for (let up = one; up && up !== document.body; up = up.parentElement) if (scrolls(up)) return up; return null; };
  const visible = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && one.getBoundingClientRect().width > 1 && getComputedStyle(one).clipPath === "none" && getComputedStyle(one).clip === "auto";

  // colours as a canvas mixes them, so that every notation is understood
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  const mixed = (colours) => {
    ink.fillStyle = "#fff"; ink.fillRect(0, 0, 1, 1);
    for (const colour of colours) { ink.fillStyle = colour; ink.fillRect(0, 0, 1, 1); }
    return [...ink.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const grounds = (one) => {
    const found = [];
    for (let up = one; up; up = up.parentElement) if (!printed) found.unshift(getComputedStyle(up).backgroundColor);
    return found;
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const one = text.parentElement;
    if (!text.textContent.trim() || ["SCRIPT", "STYLE", "TITLE", "TEMPLATE", "NOSCRIPT"].includes(one.tagName) || !visible(one)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    if (box.width < 1) continue;
    const drawing = one.closest("svg"), scroller = within(one);
    if (drawing) {
      const edge = drawing.getBoundingClientRect();
      if (box.left < edge.left - 1 || box.right > edge.right + 1 || box.top < edge.top - 1 || box.bottom > edge.bottom + 1)
        wrong.push(`cut at the edge of its drawing: ${named(text)}`);
    }
    if (!scroller || printed) {
      if (box.left < -1 || box.right > innerWidth + 1) wrong.push(`outside the page: ${named(text)}`);
    }
    for (let up = one; up && up !== document.body; up = up.parentElement) {
      const style = getComputedStyle(up), edge = up.getBoundingClientRect();
      const cuts = ["hidden", "clip"].includes(style.overflowX) || (printed && scrolls(up));
      if (up !== drawing && cuts && (box.right > edge.right + 1.5 || box.left < edge.left - 1.5)) wrong.push(`cut by ${up.tagName}: ${named(text)}`);
    }
    const style = getComputedStyle(one), size = parseFloat(style.fontSize);
    const colour = drawing ? style.fill : style.color, under = grounds(one);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const got = contrast(mixed([...under, colour]), mixed(under));
    if (got < least) wrong.push(`contrast ${got.toFixed(2)}, at least ${least} is needed: ${named(text)}`);
  }
  return [...new Set(wrong)];
})
