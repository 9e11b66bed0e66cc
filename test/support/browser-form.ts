import type { Button, Control, Form } from './browser-html.ts'

/** What a person types, ticks or picks: text for text controls and choices, a boolean for a checkbox. */
export type Values = Readonly<Record<string, string | boolean>>

type Entry = readonly [name: string, value: string]

const CHOSEN = new Set(['checkbox', 'radio'])

function fillIn(control: Control, value: string | boolean): Control {
  if (control.type === 'hidden' || control.readonly) {
    throw new Error(`A person cannot change the ${control.type} control "${control.name}"`)
  }
  if (control.type === 'checkbox') return { ...control, checked: value === true || value === control.value }
  if (control.type === 'radio') return { ...control, checked: value === control.value }
  if (typeof value === 'boolean') throw new Error(`"${control.name}" (${control.type}) takes text`)
  if (control.type !== 'select') return { ...control, value }
  if (!control.options.some((option) => option.value === value)) {
    throw new Error(`"${control.name}" offers no option "${value}"`)
  }
  return { ...control, options: control.options.map((option) => ({ ...option, selected: option.value === value })) }
}

/** HTML "constructing the entry list": only what is successful, in document order, line ends as CRLF. */
function entriesOf(control: Control): Entry[] {
  if (control.type === 'select') {
    return control.options.filter((option) => option.selected).map((option) => [control.name, option.value])
  }
  if (CHOSEN.has(control.type) && !control.checked) return []
  if (control.type === 'file') return [[control.name, '']]
  return [[control.name, control.value.replaceAll(/\r\n|\r|\n/g, '\r\n')]]
}

/** HTML constraint validation, for the constraints that sign-in and consent pages use. */
function faultOf(control: Control, all: readonly Control[]): string | undefined {
  const isGroupChecked = all.some((other) => other.name === control.name && other.checked)
  const value = control.type === 'select' ? (entriesOf(control)[0]?.[1] ?? '') : control.value
  const isEmpty = CHOSEN.has(control.type) ? !isGroupChecked : value === ''
  if (isEmpty) return control.required ? 'is required' : undefined
  if (CHOSEN.has(control.type) || control.type === 'hidden') return undefined
  if (value.length < control.minlength) return `needs at least ${control.minlength} characters`
  if (value.length > control.maxlength) return `takes at most ${control.maxlength} characters`
  if (control.type === 'email' && !/^[^@\s]+@[^@\s]+$/.test(value)) return 'is not an e-mail address'
  if (control.pattern && !new RegExp(`^(?:${control.pattern})$`, 'v').test(value)) return 'does not fit its pattern'
  return undefined
}

export interface Submission {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly contentType: string | undefined
  readonly body: Buffer | undefined
}

async function encode(entries: readonly Entry[], enctype: string): Promise<{ contentType: string; body: Buffer }> {
  const data = enctype === 'multipart/form-data' ? new FormData() : new URLSearchParams()
  for (const [name, value] of entries) data.append(name, value)
  const message = new Response(data)
  const contentType = data instanceof FormData ? message.headers.get('content-type') : undefined
  return {
    contentType: contentType ?? 'application/x-www-form-urlencoded',
    body: Buffer.from(await message.arrayBuffer()),
  }
}

/**
 * The request that pressing `button` makes after filling in `values`.
 *
 * @throws Error when a person could not do it: no such control, a hidden or read-only one, or a value that the browser
 *   itself would refuse (HTML constraint validation).
 */
export async function submissionOf(form: Form, values: Values, button: Button | undefined): Promise<Submission> {
  const unknown = Object.keys(values).filter((name) => !form.controls.some((control) => control.name === name))
  if (unknown.length > 0) throw new Error(`The form has no control named ${unknown.join(', ')}`)
  const controls = form.controls.map((control) => {
    const value = values[control.name]
    return value === undefined ? control : fillIn(control, value)
  })
  if (!form.novalidate && !button?.novalidate) {
    const faults = controls.flatMap((control) => {
      const fault = faultOf(control, controls)
      return fault ? [`"${control.name}" ${fault}`] : []
    })
    if (faults.length > 0) throw new Error(`The browser refuses to submit: ${faults.join('; ')}`)
  }
  const entries = controls.flatMap(entriesOf)
  if (button?.name) entries.push([button.name, button.value])
  const url = new URL(button?.action ?? form.action, form.action)
  const method = button?.method ?? form.method
  if (method !== 'post') {
    url.search = new URLSearchParams(entries.map(([name, value]): [string, string] => [name, value])).toString()
    return { url: url.href, method: 'GET', contentType: undefined, body: undefined }
  }
  return { url: url.href, method: 'POST', ...(await encode(entries, button?.enctype ?? form.enctype)) }
}
