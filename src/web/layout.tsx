import type { Child } from 'hono/jsx'
import { ICON_PATH, STYLESHEET_PATH } from './assets.ts'

/** The frame of every page. `title` is what the browser's tab says; the page brings its own h1. */
export function Layout({ title, wide = false, children }: { title: string; wide?: boolean; children: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>{title} · Orkestrate</title>
        <link rel="icon" href={ICON_PATH} type="image/svg+xml" />
        <link rel="stylesheet" href={STYLESHEET_PATH} />
      </head>
      <body>
        <a class="brand" href="/">
          <svg
            viewBox="0 0 24 24"
            fill="none"
            stroke="currentColor"
            stroke-width="2.6"
            stroke-linecap="round"
            aria-hidden="true"
          >
            <path d="M4 6.5h16M8 12h12M12 17.5h8" />
          </svg>
          Orkestrate
        </a>
        <main class={wide ? 'wide' : undefined}>{children}</main>
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

/** A labelled input with an optional hint that screen readers read with it. */
export function Field({
  label,
  hint,
  name,
  ...input
}: { label: string; hint?: string | undefined; name: string } & InputProps) {
  const id = `field-${name}`
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

interface InputProps {
  readonly type: 'email' | 'password' | 'text'
  readonly autocomplete: string
  readonly value?: string | undefined
  readonly required?: boolean
  readonly autofocus?: boolean | undefined
  readonly minlength?: number
  readonly maxlength?: number
}
