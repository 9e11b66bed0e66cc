import type { Child } from 'hono/jsx'
import { ICON_PATH, STYLESHEET_PATH } from './assets.ts'
import { Icon } from './icon.tsx'

/** The frame of every page. `title` is what the browser's tab says; the page brings its own h1. */
export function Layout({ title, width, children }: { title: string; width?: 'broad' | 'wide'; children: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{title} · Orkestrate</title>
        <link rel="icon" href={ICON_PATH} type="image/svg+xml" />
        <link rel="stylesheet" href={STYLESHEET_PATH} />
      </head>
      <body>
        <header>
          <a class="brand" href="/">
            <Icon name="mark" />
            Orkestrate
          </a>
        </header>
        <main class={width}>{children}</main>
      </body>
    </html>
  )
}

/** What went wrong, told to screen readers at once. */
export function Alert({ message }: { message: string | undefined }) {
  return message === undefined ? null : (
    <p class="alert" role="alert">
      {message}
    </p>
  )
}

/** A point in time, the same for everybody who looks at it. */
export function Moment({ at }: { at: Date }) {
  const iso = at.toISOString()
  return <time datetime={iso}>{`${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`}</time>
}

/** A row of a list of facts. */
export function Fact({ term, children }: { term: string; children: Child }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** Where else a signed-in person can go, as address and text. */
export function AccountLinks({ to }: { to: readonly (readonly [string, string])[] }) {
  return (
    <nav class="links" aria-label="Account">
      {to.map(([href, text]) => (
        <a href={href}>{text}</a>
      ))}
    </nav>
  )
}

/** A labelled input with an optional hint that screen readers read with it. */
export function Field({
  label,
  hint,
  name,
  id = `field-${name}`,
  ...input
}: { label: string; hint?: string | undefined; name: string; id?: string } & InputProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} name={name} aria-describedby={hint === undefined ? undefined : `${id}-hint`} {...input} />
      {hint !== undefined && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  )
}

/** A labelled choice of one, with a hint as a Field has it. @param props.options value and text, in their order */
export function Choice(props: {
  label: string
  hint: string
  name: string
  chosen: string
  options: readonly (readonly [value: string, text: string])[]
}) {
  const id = `field-${props.name}`
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select id={id} name={props.name} aria-describedby={`${id}-hint`}>
        {props.options.map(([value, text]) => (
          <option value={value} selected={value === props.chosen} dir="auto">
            {text}
          </option>
        ))}
      </select>
      <span class="hint" id={`${id}-hint`}>
        {props.hint}
      </span>
    </div>
  )
}

interface InputProps {
  readonly type: 'email' | 'password' | 'text'
  readonly autocomplete: string
  readonly value?: string | undefined
  readonly required?: boolean
  readonly autofocus?: boolean | undefined
  readonly minlength?: number
  readonly maxlength?: number
}
