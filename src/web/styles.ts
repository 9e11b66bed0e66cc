/**
 * The one stylesheet: system fonts, one accent, light and dark by the reader's own setting, no images, no script, and
 * nothing moves. Sizes are in rem, so that everything grows with the reader's text; what can be pressed is 44 px or more
 * in both directions. Lists without bullets say `role="list"` in their markup, or WebKit would not call them lists.
 */
export const STYLES = `
:root {
  color-scheme: light dark;
  --page: #f5f4ef; --surface: #fffefb; --ink: #1d1c1a; --soft: #5c5850; --line: #e2ded5; --edge: #857f74;
  --accent: #17594a; --accent-ink: #ffffff; --accent-hover: #0f4438; --good: #17594a; --good-surface: #e6f1ec;
  --alert: #8a1c12; --alert-ink: #ffffff; --alert-hover: #6d140c; --alert-surface: #fbeae6; --note: #634500; --note-surface: #fbf2da;
  --lift: 0 1px 2px rgb(29 28 26 / .05), 0 12px 32px -16px rgb(29 28 26 / .18);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141412; --surface: #1d1d1a; --ink: #eceae4; --soft: #aeaa9f; --line: #34322c; --edge: #807b70;
    --accent: #84d1b9; --accent-ink: #0c231c; --accent-hover: #a2e0cc; --good: #8fd6bf; --good-surface: #17302a;
    --alert: #f5b5aa; --alert-ink: #33100b; --alert-hover: #fbd0c8; --alert-surface: #3a1d19; --note: #efd592; --note-surface: #322914;
    --lift: none;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: flex; flex-direction: column; align-items: center;
  padding: clamp(.5rem, 2.5vh, 3rem) 1.25rem 3rem;
  background: var(--page); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header { margin-bottom: .75rem; }
.brand {
  display: inline-flex; align-items: center; gap: .55rem; min-height: 2.75rem; padding: 0 .5rem; color: inherit;
  font-size: 1.05rem; font-weight: 600; letter-spacing: -.01em; text-decoration: none; border-radius: .5rem;
}
.brand svg { width: 1.5rem; height: 1.5rem; color: var(--accent); }
.brand:hover { color: var(--accent); }
main {
  width: 100%; max-width: 28rem; padding: clamp(1.4rem, 5vw, 2.25rem);
  background: var(--surface); border: 1px solid var(--line); border-radius: 1rem; box-shadow: var(--lift);
}
main.broad { max-width: 36rem; }
main.wide { max-width: 46rem; }
main > :last-child { margin-bottom: 0; }
h1 { margin: 0 0 .6rem; font-size: 1.6rem; line-height: 1.2; letter-spacing: -.022em; font-weight: 680; text-wrap: pretty; }
h2 { margin: 0 0 .3rem; font-size: 1.1rem; line-height: 1.35; font-weight: 620; letter-spacing: -.008em; }
h3 { margin: 0; font-size: .95rem; line-height: 1.35; font-weight: 600; }
p { margin: 0 0 1rem; text-wrap: pretty; }
.lead, .soft, .hint { color: var(--soft); }
.soft { font-size: .92rem; }
.hint { display: block; margin-top: .4rem; font-size: .875rem; }
strong { font-weight: 620; color: var(--ink); }
time { font-variant-numeric: tabular-nums; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: .07em; }
a:hover { color: var(--accent-hover); text-decoration-thickness: .12em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: .3rem; }

form { margin: 1.5rem 0 0; }
.field { margin: 0 0 1.15rem; }
label { display: block; margin-bottom: .35rem; font-size: .92rem; font-weight: 600; }
input, select {
  width: 100%; min-height: 3rem; padding: .55rem .85rem; font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--edge); border-radius: .6rem;
}
select { text-overflow: ellipsis; }
.secret { font: .92em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
input:focus-visible, select:focus-visible { outline-offset: 0; border-color: var(--accent); border-radius: .6rem; }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; min-height: 3rem;
  padding: .55rem 1.15rem; font: inherit; font-weight: 620; line-height: 1.3; text-align: center; text-decoration: none;
  cursor: pointer; color: var(--accent-ink); background: var(--accent); border: 1px solid var(--accent); border-radius: .6rem;
}
button:hover, .button:hover { color: var(--accent-ink); background: var(--accent-hover); border-color: var(--accent-hover); }
button:focus-visible, .button:focus-visible { border-radius: .6rem; }
form > button { width: 100%; }
.grave { color: var(--alert-ink); background: var(--alert); border-color: var(--alert); }
.grave:hover { color: var(--alert-ink); background: var(--alert-hover); border-color: var(--alert-hover); }
.quiet { color: var(--ink); background: transparent; border-color: var(--edge); }
.quiet:hover { color: var(--ink); background: var(--page); border-color: var(--ink); }
.choice { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(8rem, 100%), 1fr)); gap: .75rem; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }

.alert, .note, .done {
  margin: 1.25rem 0; padding: .8rem 1rem; border: 1px solid transparent; border-radius: .6rem; font-size: .95rem;
}
.ways { display: grid; gap: .75rem; }
.ways .note { margin: 0; }
.or { display: flex; align-items: center; gap: .9rem; margin: 1.5rem 0 0; color: var(--soft); font-size: .9rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
.alert { color: var(--alert); background: var(--alert-surface); }
.note { color: var(--note); background: var(--note-surface); }
.done { color: var(--good); background: var(--good-surface); }
.mark { display: flex; align-items: flex-start; gap: .45rem; font-size: .92rem; line-height: 1.45; }
.mark svg { flex: none; width: 1.15rem; height: 1.15rem; margin-top: .08rem; }
.mark strong { color: inherit; }
.good { color: var(--good); }
.doubtful { color: var(--note); }

dl { margin: 0; }
dd { margin: 0; }
dt { color: var(--soft); font-size: .875rem; }
ul { margin: 0; padding-left: 1.15rem; }
li { margin: .25rem 0; }
li:first-child { margin-top: 0; }
.facts { margin: 1.25rem 0 0; }
.facts > div { display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); gap: .1rem 1.25rem; padding: .6rem 0; border-top: 1px solid var(--line); }
.facts dt { padding-top: .1rem; }
.facts code { font-weight: 600; }
.facts dd > * + * { margin-top: .2rem; }
.pairs { list-style: none; padding: 0; }
.pairs li { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1.25rem; }
.pairs li > :first-child { flex: 0 1 auto; min-width: 0; }
.pairs bdi { font-weight: 560; }
.lined { margin: 1.25rem 0; border-bottom: 1px solid var(--line); }
.lined > li { margin: 0; padding: .7rem 0; border-top: 1px solid var(--line); }

.entries { list-style: none; margin: 1.5rem 0 0; padding: 0; border-bottom: 1px solid var(--line); }
.entries > li { margin: 0; padding: 1.35rem 0; border-top: 1px solid var(--line); }
.entries + p { margin-top: 1rem; }
.entries > li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1.25rem; }
.entries > li > * { grid-column: 1; }
.entries > li > dl { grid-column: 1 / -1; }
.entries > li > form { grid-column: 2; grid-row: 1 / span 2; margin: 0; }
.brief { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: .35rem 1.5rem; margin-top: .8rem; }
.brief > div { display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: baseline; }
.brief dt { flex: 0 0 5.9rem; }
.brief dd { flex: 1 1 9rem; min-width: 0; font-size: .95rem; }
.brief > div:has(code) { grid-column: 1 / -1; }
section form { margin: 1rem 0 0; }
.entries button, section button { width: auto; min-height: 2.75rem; }

.list { list-style: none; margin: 1.25rem 0 0; padding: 0; }
.list > li { margin: 0; padding: 1rem 0; border-top: 1px solid var(--line); }
.list p { margin: 0; }
section { margin: 1.5rem 0 0; }
.parting { margin-top: 2rem; padding-top: 1.6rem; border-top: 1px solid var(--line); }
.below { margin: 1.75rem 0 0; padding-top: 1.25rem; border-top: 1px solid var(--line); font-size: .95rem; color: var(--soft); }
.links { display: flex; flex-wrap: wrap; gap: 0 1.5rem; margin: 1.5rem 0 0; padding-top: .75rem; border-top: 1px solid var(--line); }
nav a { display: inline-flex; align-items: center; min-width: 2.75rem; min-height: 2.75rem; }
code { font: .92em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre {
  margin: .4rem 0 0; padding: .85rem 1rem; background: var(--page);
  border: 1px solid var(--line); border-radius: .6rem; line-height: 1.6; white-space: pre-wrap;
}
pre + p { margin-top: 1rem; }
pre code { font-size: .875rem; }
h4 { margin: 1.1rem 0 0; font-size: .875rem; font-weight: 600; color: var(--soft); }
h4 + p { margin-top: .3rem; }
.operation { padding-top: 1.25rem; border-top: 1px solid var(--line); }
h2 + .operation { margin-top: 0; padding-top: 0; border-top: 0; }
.operation .call { margin: .3rem 0 .5rem; }
.operation .call code { font-weight: 600; }
.parameters > div { display: grid; grid-template-columns: 11rem minmax(0, 1fr); gap: .1rem 1.25rem; padding: .3rem 0; }
.parameters dd { font-size: .92rem; }

@media (max-width: 30rem) {
  body { padding-inline: .75rem; }
  .facts > div, .parameters > div { grid-template-columns: minmax(0, 1fr); }
  .entries > li { grid-template-columns: minmax(0, 1fr); }
  .entries > li > form { grid-column: 1; grid-row: auto; margin-top: 1rem; }
  .entries button, section button, p > .button { width: 100%; }
}
@media (forced-colors: active) { button, .button, input, select { border-color: ButtonBorder; } }
`

/** The mark: three parts that enter one after the other and stay together. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#2b8c75" stroke-width="2.6" stroke-linecap="round"><path d="M4 6.5h16M8 12h12M12 17.5h8"/></svg>`
