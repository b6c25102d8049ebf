// What pages need beyond links and forms: the theme, charts, forms that send only what is filled in.
// Every page works without it but for the charts, each of which has its table.
(() => {
  'use strict';
  const root = document.documentElement;
  const dark = () => root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;

  document.querySelector('[data-theme-switch]')?.addEventListener('click', () => {
    root.dataset.theme = dark() ? 'light' : 'dark';
    try { localStorage.setItem('theme', root.dataset.theme); } catch { /* for this page alone */ }
    drawAll(document);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawAll(document));

  // A chart is an element with the options of ECharts in data-chart. Colours come from the style
  // sheet, so that light and dark are told apart in one place.
  const colour = name => getComputedStyle(root).getPropertyValue(name).trim();
  const merge = (into, from) => {
    for (const [key, value] of Object.entries(from)) {
      const both = value && into[key] && typeof value === 'object' && typeof into[key] === 'object';
      if (both && !Array.isArray(value) && !Array.isArray(into[key])) merge(into[key], value);
      else if (into[key] === undefined) into[key] = value;
    }
    return into;
  };
  const formatter = (unit, digits) => {
    const locale = root.lang === 'fr' ? 'fr-FR' : 'en-GB';
    const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: digits ?? 1 });
    const share = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
    return value => {
      if (value === null || value === undefined || value === '-') return '–';
      if (unit === 'share') return share.format(value);
      if (unit === 'seconds') return duration(value);
      return plain.format(value);
    };
  };
  const duration = seconds => {
    const total = Math.round(seconds);
    const day = root.lang === 'fr' ? 'j' : 'd';
    const part = (amount, unit) => Math.floor(amount) ? ` ${Math.floor(amount)} ${unit}` : '';
    if (total < 60) return `${total} s`;
    if (total < 3600) return `${Math.floor(total / 60)} min${part(total % 60, 's')}`;
    if (total < 86400) return `${Math.floor(total / 3600)} h${part(total % 3600 / 60, 'min')}`;
    return `${Math.floor(total / 86400)} ${day}${part(total % 86400 / 3600, 'h')}`;
  };
  // The values of a period as elements: markup with styles of its own is not let in.
  const tip = (entries, format) => {
    const made = document.createElement('div');
    const line = (text, mark) => {
      const row = made.appendChild(document.createElement('div'));
      if (mark) {
        const dot = row.appendChild(document.createElement('span'));
        dot.className = 'chart-dot';
        dot.style.background = mark;
      }
      row.append(text);
    };
    const listed = [].concat(entries);
    if (listed[0].axisValueLabel !== undefined) line(listed[0].axisValueLabel);
    for (const each of listed) {
      const name = each.dataType === 'edge'
        ? `${each.data.source} → ${each.data.target}`
        : each.seriesName && each.axisValueLabel !== undefined ? each.seriesName : each.name;
      line(`${name}: ${format(each.value)}`.replace(': ', colon), each.axisValueLabel !== undefined && each.color);
    }
    return made;
  };
  const colon = root.lang === 'fr' ? '\u00a0: ' : ': ';
  // Below the chart, where it covers neither the legend nor what it speaks of.
  const below = (point, entries, element, rect, size) => [
    Math.max(0, Math.min(point[0] - size.contentSize[0] / 2, size.viewSize[0] - size.contentSize[0])),
    size.viewSize[1] + 2,
  ];
  const draw = element => {
    if (!window.echarts) return;
    const option = JSON.parse(element.dataset.chart);
    const { unit, digits, axis: named } = option.throughline || {};
    delete option.throughline;
    const format = formatter(unit, digits);
    const text = colour('--muted'), line = colour('--line');
    option.color = option.color
      || ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7', '--c8'].map(colour);
    merge(option, {
      animation: false,
      // By name: text is measured on a canvas, which inherits nothing.
      textStyle: { color: colour('--text'), fontFamily: getComputedStyle(document.body).fontFamily },
      tooltip: {
        renderMode: 'html', className: 'chart-tip', backgroundColor: colour('--raised'),
        borderColor: line, textStyle: { color: colour('--text') },
        formatter: entries => tip(entries, format),
        ...(option.tooltip?.trigger === 'axis' ? { position: below } : { confine: true }),
      },
    });
    for (const axis of [].concat(option.xAxis || [], option.yAxis || [])) {
      merge(axis, {
        axisLabel: { color: text, hideOverlap: true }, axisLine: { lineStyle: { color: line } },
        splitLine: { lineStyle: { color: line } }, axisTick: { show: false },
      });
      if (axis.type === 'value') {
        merge(axis.axisLabel, {
          formatter: value => named?.[Math.round((value - axis.min) / axis.interval)] ?? format(value),
        });
      }
    }
    for (const legend of [].concat(option.legend || [])) merge(legend, { textStyle: { color: text } });
    for (const series of [].concat(option.series || [])) {
      if (series.type === 'sankey' || series.label) {
        series.label = merge(series.label || {}, { color: colour('--text') });
      }
    }
    const chart = echarts.getInstanceByDom(element) || echarts.init(element, null, { renderer: 'svg' });
    chart.setOption(option, true);
    chart.off('click');
    chart.on('click', event => { if (event.data && event.data.link) location.assign(event.data.link); });
  };
  const drawAll = within => within.querySelectorAll('[data-chart]').forEach(draw);
  // Paper is light: the charts are drawn in the colours of the light theme while a page is printed.
  let onScreen;
  addEventListener('beforeprint', () => {
    if (onScreen !== undefined) return;
    onScreen = root.dataset.theme || '';
    root.dataset.theme = 'light';
    drawAll(document);
  });
  addEventListener('afterprint', () => {
    if (onScreen) root.dataset.theme = onScreen; else delete root.dataset.theme;
    onScreen = undefined;
    drawAll(document);
  });
  let resized;
  addEventListener('resize', () => {
    clearTimeout(resized);
    resized = setTimeout(() => document.querySelectorAll('[data-chart]').forEach(
      element => window.echarts && echarts.getInstanceByDom(element)?.resize()), 120);
  });

  // A form of filters sends only what is filled in: the address stays short enough to share.
  document.addEventListener('submit', event => {
    const form = event.target.closest('form[data-short]');
    if (!form) return;
    for (const field of form.elements) {
      if (field.name && field.value === '') { field.disabled = true; setTimeout(() => { field.disabled = false; }); }
    }
  });
  document.addEventListener('change', event => {
    if (event.target.matches('[data-submit]')) event.target.form?.requestSubmit();
  });
  document.addEventListener('click', async event => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.dataset.done = '';
      setTimeout(() => delete button.dataset.done, 1500);
    } catch { /* no clipboard: the text is there to be marked */ }
  });
  document.addEventListener('htmx:afterSettle', event => drawAll(event.target));
  drawAll(document);
})();
