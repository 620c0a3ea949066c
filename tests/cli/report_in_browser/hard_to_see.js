const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
const known = new Map();
const light = color => {
    if (!known.has(color)) {
        const [r, g, b] = [...rgba(color)].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        known.set(color, 0.2126 * r + 0.7152 * g + 0.0722 * b);
    }
    return known.get(color);
};
const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgba(c)[3] === 255) return c; } return 'white'; };
const contrast = (one, other) => { const [a, b] = [light(one), light(other)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
const found = new Map();
const check = (e, color, least) => {
    const is = contrast(color, ground(e));
    if (is < least) found.set(e.tagName + '.' + e.className + ' ' + color + ' on ' + ground(e), is.toFixed(2));
};
const seen = new Set();
for (const e of document.querySelectorAll('body *')) {
    const style = getComputedStyle(e);
    if (e.ownerSVGElement) {
        if (e.matches('.made, .open')) check(e, style.fill, 3);
        if (e.matches('.failed, .other, .spark')) check(e, style.stroke, 3);
    } else if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) {
        const key = style.color + e.className + e.tagName + e.parentElement.className;
        if (seen.has(key)) continue;
        seen.add(key);
        const size = parseFloat(style.fontSize);
        check(e, style.color, size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700 ? 3 : 4.5);
    }
}
return [...found].map(([what, is]) => what + ': ' + is);
