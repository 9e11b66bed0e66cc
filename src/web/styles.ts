/** The one stylesheet: system fonts, one accent, light and dark by the reader's own setting, no images, no script. */
export const STYLES = `
:root {
  color-scheme: light dark;
  --page: #f6f5f1; --surface: #fffefb; --ink: #1d1c1a; --soft: #5f5b54; --line: #dedad1; --edge: #8d877c;
  --accent: #17594a; --accent-ink: #ffffff; --accent-hover: #0f4438;
  --alert: #8a1c12; --alert-surface: #fbeae6; --note: #6a4a00; --note-surface: #fbf3dc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161614; --surface: #1f1f1c; --ink: #eceae4; --soft: #aaa599; --line: #37352f; --edge: #7d786c;
    --accent: #84d1b9; --accent-ink: #0c231c; --accent-hover: #a2e0cc;
    --alert: #f5b5aa; --alert-surface: #3a1d19; --note: #efd592; --note-surface: #332a14;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: flex; flex-direction: column; align-items: center;
  padding: clamp(1.25rem, 6vh, 4.5rem) 1.25rem 2.5rem;
  background: var(--page); color: var(--ink);
  font: 1rem/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
.brand {
  display: inline-flex; align-items: center; gap: .55rem; margin-bottom: 1.75rem; color: inherit;
  font-weight: 600; letter-spacing: -.01em; text-decoration: none;
}
.brand svg { width: 1.5rem; height: 1.5rem; color: var(--accent); }
main {
  width: 100%; max-width: 27rem; padding: clamp(1.5rem, 5vw, 2.25rem);
  background: var(--surface); border: 1px solid var(--line); border-radius: 1rem;
}
main.wide { max-width: 44rem; }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.02em; font-weight: 650; text-wrap: pretty; overflow-wrap: anywhere; }
h2 { margin: 0 0 .25rem; font-size: 1.05rem; line-height: 1.35; font-weight: 600; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; }
main > :last-child { margin-bottom: 0; }
.lead, .soft { color: var(--soft); }
.soft { font-size: .9rem; }
strong { font-weight: 600; color: var(--ink); overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: .07em; }
a:hover { color: var(--accent-hover); }
form { margin: 1.5rem 0 0; }
.field { margin: 0 0 1.1rem; }
label { display: block; margin-bottom: .35rem; font-size: .9rem; font-weight: 600; }
input {
  width: 100%; min-height: 2.85rem; padding: .55rem .8rem; font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--edge); border-radius: .55rem;
}
.hint { display: block; margin-top: .35rem; color: var(--soft); font-size: .85rem; }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; width: 100%; min-height: 2.85rem;
  padding: .55rem 1.1rem; font: inherit; font-weight: 600; text-decoration: none; cursor: pointer;
  color: var(--accent-ink); background: var(--accent); border: 1px solid var(--accent); border-radius: .55rem;
}
button:hover, .button:hover { background: var(--accent-hover); border-color: var(--accent-hover); color: var(--accent-ink); }
button.quiet { color: var(--ink); background: transparent; border-color: var(--edge); }
button.quiet:hover { background: var(--page); border-color: var(--ink); color: var(--ink); }
button.small { width: auto; min-height: 2.4rem; padding: .3rem .9rem; font-size: .9rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.choice { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
.below { margin: 1.5rem 0 0; padding-top: 1.25rem; border-top: 1px solid var(--line); font-size: .92rem; color: var(--soft); }
.alert, .note { margin: 1rem 0; padding: .75rem .95rem; border-radius: .55rem; font-size: .93rem; overflow-wrap: anywhere; }
.alert { color: var(--alert); background: var(--alert-surface); }
.note { color: var(--note); background: var(--note-surface); }
dl { margin: 1.25rem 0 0; display: grid; gap: .9rem; }
dt { font-size: .85rem; color: var(--soft); }
dd { margin: .1rem 0 0; overflow-wrap: anywhere; }
ul { margin: .2rem 0 0; padding-left: 1.15rem; }
li { margin: .2rem 0; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre {
  margin: .35rem 0 0; padding: .8rem .95rem; overflow-x: auto; background: var(--page);
  border: 1px solid var(--line); border-radius: .55rem; line-height: 1.6;
}
pre code { font-size: .86rem; white-space: pre-wrap; overflow-wrap: anywhere; }
section { margin: 1.4rem 0 0; }
h3 { margin: 0; font-size: .95rem; line-height: 1.35; font-weight: 600; }
.parting { margin-top: 2rem; padding-top: 1.75rem; border-top: 1px solid var(--line); }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0 0; }
.actions .button { width: auto; }
.list { list-style: none; margin: 1.25rem 0 0; padding: 0; }
.list > li { display: flex; flex-wrap: wrap; gap: .75rem 1.25rem; align-items: center; margin: 0; padding: 1.1rem 0; border-top: 1px solid var(--line); }
.list > li > div { flex: 1 1 16rem; min-width: 0; }
.list form { margin: 0; }
.list p { margin: 0; }
@media (max-width: 30rem) {
  body { padding-inline: 1rem; }
  .choice { grid-template-columns: 1fr; }
}
@media (forced-colors: active) { button, .button, input, main { border-color: ButtonText; } }
`

/** The mark: three parts that enter one after the other and stay together. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#2b8c75" stroke-width="2.6" stroke-linecap="round"><path d="M4 6.5h16M8 12h12M12 17.5h8"/></svg>`
