import { createHash } from 'node:crypto';

/**
 * What a page does when scripts may run: tooltips at once and by touch, tables that sort, copies of
 * tables. Without it everything is there to be read.
 */
export const script = `(() => {
const $ = (what, at = document) => [...at.querySelectorAll(what)];
const make = (name, props) => Object.assign(document.createElement(name), props);
const tip = make('div', { id: 'tip', hidden: true });
document.body.append(tip);
for (const title of $('svg[role=img] g title')) {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
}
const near = [[0, 0], [0, 5], [0, -5], [5, 0], [-5, 0], [9, 0], [-9, 0], [0, 9], [0, -9]];
const show = (event) => {
  const { clientX: x, clientY: y } = event;
  const svg = event.target.closest?.('svg[role=img]');
  const mark = svg && near.map(([dx, dy]) => document.elementFromPoint(x + dx, y + \
dy)?.closest('[data-tip]')).find(Boolean);
  tip.hidden = !mark;
  for (const old of $('.cross')) old.remove();
  if (!svg) return;
  if (svg.dataset.cross !== undefined) {
    const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM().inverse()).x;
    const cross = document.createElementNS(svg.namespaceURI, 'line');
    const { height } = svg.viewBox.baseVal;
    for (const [name, value] of Object.entries({ class: 'cross', x1: at, x2: at, y1: 0, y2: \
height, stroke: 'currentColor', 'stroke-opacity': 0.5, 'pointer-events': 'none' })) \
cross.setAttribute(name, value);
    svg.append(cross);
  }
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 4)) + 'px';
  tip.style.top = (y + 16 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 10 : y + 16) + \
'px';
};
for (const name of ['pointermove', 'pointerdown']) addEventListener(name, show);
addEventListener('scroll', () => { tip.hidden = true; }, true);
const value = (row, i) => row.cells[i].textContent.trim();
const unit = { k: 1e3, M: 1e6, G: 1e9 };
const amount = (text) => {
  const found = /^[<+±]?([-−]?[\\d.,]+)(?: ([kMG])\\b)?/.exec(text);
  return found ? Number(found[1].replace(/,/g, '').replace('−', '-')) * (unit[found[2]] || 1) : NaN;
};
for (const table of $('table')) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const numeric = (i) => heads[i].className === 'number';
  heads.forEach((head, i) => {
    // Not a button element: paper repeats no head that has one.
    const button = make('span', { role: 'button', tabIndex: 0 });
    button.append(...head.childNodes);
    head.append(button);
    button.onkeydown = (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      button.click();
    };
    button.onclick = () => {
      const down = head.ariaSort ? head.ariaSort === 'ascending' : numeric(i);
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = down ? 'descending' : 'ascending';
      const compare = (a, b) => {
        const [p, q] = [value(a, i), value(b, i)];
        if (!p || !q) return !p - !q;
        const [m, n] = [amount(p), amount(q)];
        const order = isNaN(m) || isNaN(n) ? p.localeCompare(q, 'en', { numeric: true }) : m - n;
        return down ? -order : order;
      };
      body.append(...[...body.rows].sort(compare));
    };
  });
  const copy = make('button', { type: 'button', className: 'copy', textContent: 'copy as CSV' });
  copy.onclick = () => {
    const cell = ({ textContent: text }) => /[",\\n]/.test(text) ? '"' + text.replace(/"/g, '""') \
+ '"' : text;
    navigator.clipboard?.writeText($('tr', table).map((row) => \
[...row.cells].map(cell).join(',')).join('\\n') + '\\n')
      .then(() => { copy.textContent = 'copied'; }, () => { copy.textContent = 'not allowed here'; \
});
  };
  table.parentNode.after(copy);
}
addEventListener('beforeprint', () => { for (const all of $('details')) all.open = true; });
for (const box of $('.scroll')) if (box.scrollWidth > box.clientWidth) \
box.style.setProperty('--hint', 'block');
})();`;

/** What the page may do: its own style and this script, no request to anywhere. */
export const policy =
  `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src ` +
  `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
