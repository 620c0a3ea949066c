const found = [];
const all = [...document.querySelectorAll('*')];
if (document.compatMode !== 'CSS1Compat') found.push('quirks mode');
if (window.hacked) found.push('a script of others was run');
if (document.querySelector('script, img, iframe, object, [style], [onclick]')) found.push('an element that the page has not');
const ids = all.map(e => e.id).filter(id => id);
if (new Set(ids).size !== ids.length) found.push('an id stands twice');
for (const a of document.querySelectorAll('a[href^="#"]'))
    if (!document.getElementById(a.hash.slice(1))) found.push('a link leads nowhere: ' + a.hash);
for (const e of document.querySelectorAll('[aria-labelledby]'))
    if (!document.getElementById(e.getAttribute('aria-labelledby'))) found.push('no label: ' + e.outerHTML.slice(0, 80));
for (const t of document.querySelectorAll('table'))
    if (!t.caption || [...t.querySelectorAll('th')].some(th => !th.scope)) found.push('a table without a caption or a scope: ' + t.className);
let level = 0;
for (const h of document.querySelectorAll('h1, h2, h3, h4')) {
    const own = Number(h.tagName[1]);
    if (own > level + 1) found.push('a level of headings is left out: ' + h.textContent);
    level = own;
}
if (document.querySelectorAll('h1, main').length !== 2) found.push('not one heading and one main part');
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) found.push('wider than the window: ' + document.documentElement.scrollWidth);
return found;
