'use strict';
// What a page can do beyond being read: sorting, filtering, zoom, colours, the list of runs. Without it all tables and pictures stand as they are.
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  const make = (name, text) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  // Remembered while the page is open, also when it reloads itself; a browser may refuse.
  const memory = {
    get(key) { try { return JSON.parse(sessionStorage.getItem('marquee ' + key)); } catch { return null; } },
    set(key, value) { try { sessionStorage.setItem('marquee ' + key, JSON.stringify(value)); } catch { /* nothing is kept */ } },
  };
  one('.tools').hidden = false;
  all('.scripted').forEach((element) => { element.hidden = false; });

  // Sorting: a button in each header; numbers by value, empty cells last.
  const valueOf = (row, column) => {
    const cell = row.children[column];
    const told = cell.dataset.v;
    if (told !== undefined) return told === '' ? null : Number(told);
    const text = cell.textContent.trim();
    return text === '' ? null : text;
  };
  const byValue = (a, b) => typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  const sortBy = (table, header, column, direction) => {
    all('thead th', table).forEach((other) => other.removeAttribute('aria-sort'));
    header.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
    const body = table.tBodies[0];
    Array.from(body.rows).map((row, place) => ({ row, place, value: valueOf(row, column) }))
      .sort((a, b) => {
        if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
        return direction * byValue(a.value, b.value) || a.place - b.place;
      })
      .forEach(({ row }) => { row.classList.remove('newshots'); body.append(row); });
  };
  all('table.sortable').forEach((table) => {
    const headers = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    headers.forEach((header, column) => {
      const button = make('button');
      button.type = 'button';
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener('click', () => {
        sortBy(table, header, column, header.getAttribute('aria-sort') === 'ascending' ? -1 : 1);
      });
    });
  });

  // Filters: rows by words, shots and method; sections and columns by task.
  const filters = ['filter', 'choose-task', 'choose-shots', 'choose-method'].map((id) => one('#' + id));
  const rows = all('[data-row]').map((element) => ({
    element,
    shots: element.dataset.shots,
    method: element.dataset.method,
    text: ((element.closest('[data-task]')?.dataset.task ?? '') + ' ' + (element.dataset.text ?? element.textContent)).toLowerCase(),
  }));
  const columns = [];
  all('table.main').forEach((table) => {
    const headers = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    headers.forEach((header, column) => {
      if (header.dataset.task !== undefined)
        columns.push({ task: header.dataset.task, cells: [header, ...Array.from(table.tBodies[0].rows, (row) => row.children[column])] });
    });
  });
  const groups = all('table.main tr.groups');
  const filter = () => {
    const [words, task, shots, method] = filters.map((input) => input.value);
    const terms = words.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = terms.every((term) => row.text.includes(term)) && (!shots || row.shots === undefined || row.shots === '' || row.shots === shots) &&
        (!method || row.method === undefined || row.method === method);
      row.element.hidden = !fits;
      shown += fits;
    }
    all('section[data-task]').forEach((section) => { section.hidden = task !== '' && section.dataset.task !== task; });
    columns.forEach((column) => column.cells.forEach((cell) => { cell.hidden = task !== '' && column.task !== task; }));
    groups.forEach((row) => { row.hidden = task !== ''; });
    one('#shown').textContent = terms.length || task || shots || method ? shown + ' of ' + rows.length + ' rows' : '';
    memory.set('filters', filters.map((input) => input.value));
  };
  (memory.get('filters') ?? []).forEach((value, place) => { filters[place].value = value; });
  filters.forEach((input) => input.addEventListener('input', filter));
  one('.tools').addEventListener('submit', (event) => event.preventDefault());
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || /^(input|select|textarea)$/i.test(document.activeElement?.tagName ?? '')) return;
    event.preventDefault();
    one('#filter').focus();
  });

  // One metric at a time.
  const metric = one('#choose-metric');
  const chooseMetric = () => {
    all('.metric').forEach((part) => {
      part.hidden = metric.value === '' ? part.dataset.first === undefined : part.dataset.metric !== metric.value;
    });
    memory.set('metric', metric.value);
  };
  if (metric) {
    const kept = memory.get('metric');
    if (Array.from(metric.options).some((option) => option.value === kept)) metric.value = kept;
    metric.addEventListener('input', chooseMetric);
    chooseMetric();
  }

  const theme = one('#choose-theme');
  const chooseTheme = () => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
    memory.set('theme', theme.value);
  };
  theme.value = memory.get('theme') ?? '';
  theme.addEventListener('input', chooseTheme);
  chooseTheme();
  filter();

  // Zoom: every picture and plot, one after the other.
  const dialog = one('#zoom');
  const pictures = all('figure img, figure svg').map((picture) => {
    const button = make('button');
    button.type = 'button';
    button.className = 'zoomable';
    const caption = picture.getAttribute('alt') ?? picture.getAttribute('aria-label');
    button.setAttribute('aria-label', 'Enlarge: ' + caption);
    picture.replaceWith(button);
    button.append(picture);
    return { picture, button, caption };
  });
  let current = 0;
  const enlarge = (place) => {
    current = place;
    const { picture, caption } = pictures[place];
    const copy = picture.cloneNode(true);
    if (copy.tagName === 'IMG') {
      const factor = Math.max(2, Math.min(6, Math.floor(innerWidth * 0.9 / picture.naturalWidth))); // whole, so that pixels stay squares
      copy.width = picture.naturalWidth * factor;
      copy.height = picture.naturalHeight * factor;
    }
    one('#zoom-picture').replaceChildren(copy);
    one('#zoom-caption').textContent = caption;
  };
  const step = (by) => {
    for (let place = current + by; place >= 0 && place < pictures.length; place += by) {
      if (pictures[place].button.offsetParent === null) continue; // filtered out or folded
      enlarge(place);
      return;
    }
  };
  pictures.forEach(({ button }, place) => button.addEventListener('click', () => { enlarge(place); dialog.showModal(); }));
  dialog.addEventListener('close', () => pictures[current].button.focus());
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowRight') step(1);
    if (event.key === 'ArrowLeft') step(-1);
  });
  one('#zoom-close').addEventListener('click', () => dialog.close());
  one('#zoom-next').addEventListener('click', () => step(1));
  one('#zoom-before').addEventListener('click', () => step(-1));

  // The runs, each with everything that its bits depend on. Made as they are asked for: there may be thousands.
  const facts = JSON.parse(one('#run-facts').textContent);
  const list = one('#runs'), find = one('#find-run'), more = one('#more-runs');
  const kAtOnce = 100;
  const named = facts.runs.map((run) => {
    const row = facts.rows[run[0]];
    return { run, row, name: row.name + ', seed ' + run[1] };
  });
  const unfold = (details, { run, row }) => {
    const told = make('dl');
    const tell = (key, value) => {
      if (value === '' || value === null) return;
      told.append(make('dt', key), make('dd', typeof value === 'string' ? value : JSON.stringify(value)));
    };
    facts.columns.forEach((key, place) => tell(key, run[place + 3]));
    facts.keys.forEach((key, place) => tell(key, facts.values[place][run[facts.columns.length + 3 + place]]));
    Object.entries(row.config).forEach(([key, value]) => tell('configuration: ' + key, value));
    details.append(told);
  };
  let matching = [];
  const add = () => {
    const from = list.children.length;
    for (const entry of matching.slice(from, from + kAtOnce)) {
      const details = make('details');
      const summary = make('summary', entry.name + ' — ');
      summary.append(make('code', entry.run[2].slice(0, 12)));
      details.append(summary);
      details.addEventListener('toggle', () => { if (details.open && details.children.length === 1) unfold(details, entry); });
      list.append(details);
    }
    const shown = list.children.length;
    one('#found').textContent = shown + (shown < matching.length ? ' of ' + matching.length : '') + (matching.length === 1 ? ' run' : ' runs');
    more.parentElement.hidden = shown >= matching.length;
  };
  const search = () => {
    const terms = (find.value.toLowerCase().match(/"[^"]*"|\S+/g) ?? []).map((term) => term.replaceAll('"', ''));
    matching = named.filter(({ run, name }) => terms.every((term) => (name.toLowerCase() + ' ' + run[2]).includes(term)));
    list.replaceChildren();
    add();
  };
  find.addEventListener('input', search);
  more.addEventListener('click', add);
  search();
  // A number of seeds leads to its runs.
  all('a[data-find]').forEach((link) => link.addEventListener('click', () => { find.value = link.dataset.find; search(); }));

  // A page that is written anew while a sweep runs.
  const seconds = Number(document.body.dataset.refresh);
  if (seconds > 0) {
    const pause = one('#pause');
    pause.checked = memory.get('pause') === true;
    pause.addEventListener('input', () => memory.set('pause', pause.checked));
    const place = memory.get('place');
    if (place !== null && !location.hash) scrollTo(0, place);
    setInterval(() => {
      if (pause.checked || dialog.open || document.hidden) return;
      memory.set('place', scrollY);
      location.reload();
    }, seconds * 1000);
  }
})();
