// The report's page as a mustache template. {{{plot}}} is our own SVG; all else is escaped.
#pragma once

namespace marquee::analysis {

inline constexpr const char* kPage = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1440px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0.2rem; } h2 { margin-top: 2.6rem; border-bottom: 1px solid var(--line); }
p.about { max-width: 60rem; opacity: 0.85; }
nav a { margin-right: 1rem; }
.wide { overflow-x: auto; } .wide table { font-size: 13px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
td.number, th.number { text-align: right; }
td.said { white-space: normal; min-width: 12rem; }
td.message { white-space: pre-wrap; min-width: 24rem; }
tr.best td { font-weight: 600; } tr.oracle td { opacity: 0.7; font-style: italic; }
.figures { display: flex; flex-wrap: wrap; gap: 1.2rem; margin: 1rem 0; }
figure { margin: 0; } figcaption { font-size: 0.9rem; margin-bottom: 0.3rem; }
figure img { image-rendering: pixelated; max-width: 100%; width: 340px; background: #fff; }
svg { width: 460px; max-width: 100%; } svg text { font-size: 12px; fill: currentColor; }
svg text.title { font-weight: 600; } svg .grid { stroke: var(--line); } svg .axis { stroke: currentColor; }
details { margin: 0.6rem 0; } summary { cursor: pointer; }
code { font-size: 0.86em; background: var(--soft); padding: 0 0.25em; }
</style>
</head>
<body>
<h1>{{title}}</h1>
<p>{{status}}</p>
<p class="about">{{counting}}. Lower is better for fid_mini, kid_mini, fid, fid_infinity, sfid and kid, higher for the others; memorisation is about
0.05 for images like fresh real ones and 1 for copies of the training images. fid_mini is a
Fréchet distance on the features of the mini network, not FID. Oracle rows show what real images (oracle_real)
and images that the tokenizer only encodes and decodes (oracle_reconstruction) reach on the same test images.</p>
<nav>{{#tasks}}<a href="#{{anchor}}">{{task}}</a>{{/tasks}}{{#has_cited}}<a href="#cited">{{cited_title}}</a>{{/has_cited}}{{#has_failures}}<a href="#failures">failures</a>{{/has_failures}}<a href="#made">how it was made</a></nav>
{{#tasks}}
<h2 id="{{anchor}}">{{task}}</h2>
<div class="wide"><table>
<thead><tr>{{#header}}<th{{#number}} class="number"{{/number}}>{{text}}</th>{{/header}}</tr></thead>
<tbody>
{{#rows}}<tr class="{{kind}}">{{#cells}}<td{{#number}} class="number"{{/number}}>{{text}}</td>{{/cells}}</tr>
{{/rows}}</tbody></table></div>
{{#has_empty}}<p class="about">{{empty}}</p>{{/has_empty}}
<div class="figures">{{#plots}}<figure>{{{plot}}}</figure>{{/plots}}</div>
<div class="figures">
{{#samples}}<figure><figcaption>{{caption}}</figcaption><a href="{{image}}"><img src="{{image}}" alt="samples: {{caption}}" loading="lazy"></a></figure>
{{/samples}}</div>
{{/tasks}}
{{#has_cited}}
<h2 id="cited">{{cited_title}}</h2>
<p class="about">{{cited_about}}</p>
{{#cited}}
<h3>{{title}}</h3>
<div class="wide"><table>
<thead><tr><th>generator</th><th>metric</th><th class="number">value</th><th>protocol</th><th>citation</th><th>page</th><th>note</th></tr></thead>
<tbody>
{{#numbers}}<tr><td>{{generator}}</td><td>{{metric}}</td><td class="number">{{value}}</td><td class="said">{{protocol}}</td><td class="said">{{#has_url}}<a href="{{url}}" rel="noreferrer">{{citation}}</a>{{/has_url}}{{^has_url}}{{citation}}{{/has_url}}</td><td>{{page}}</td><td class="said">{{note}}</td></tr>
{{/numbers}}</tbody></table></div>
{{/cited}}
{{/has_cited}}
{{#has_failures}}
<h2 id="failures">Attempts that did not end well</h2>
<div class="wide"><table>
<thead><tr><th>task</th><th>shots</th><th>method</th><th class="number">seed</th><th class="number">attempt</th><th>status</th><th>cause</th><th>message</th></tr></thead>
<tbody>
{{#failures}}<tr><td>{{task}}</td><td>{{shots}}</td><td>{{method}}</td><td class="number">{{seed}}</td><td class="number">{{attempt}}</td><td>{{status}}</td><td>{{cause}}</td><td class="message">{{message}}</td></tr>
{{/failures}}</tbody></table></div>
{{/has_failures}}
<h2 id="made">How it was made</h2>
<p>Every finished run, with what its bits depend on. The same configuration, data and fingerprint give the same
numbers again: <code>marquee run --config run.yaml</code> with the run's own file.</p>
{{#made}}
<details><summary>{{name}} — <code>{{run}}</code></summary>
<div class="wide"><table>{{#facts}}<tr><td>{{key}}</td><td class="message"><code>{{value}}</code></td></tr>{{/facts}}</table></div>
</details>
{{/made}}
</body>
</html>
)html";

}  // namespace marquee::analysis
