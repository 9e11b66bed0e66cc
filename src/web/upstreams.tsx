import { Field } from './layout.tsx'

/** Somewhere else where people may prove who they are. */
export interface UpstreamChoice {
  readonly id: string
  readonly name: string
  /** Why nobody can be sent there just now. */
  readonly problem: string | undefined
}

/** Can people be sent to any of them? Else what a form asks for besides would be for nothing. */
export function isAnyOpen(upstreams: readonly UpstreamChoice[]): boolean {
  return upstreams.some(({ problem }) => problem === undefined)
}

/** One button each; where it would lead nowhere, the reason instead. */
export function UpstreamButtons(props: { verb: string; upstreams: readonly UpstreamChoice[]; quiet: boolean }) {
  return (
    <div class="ways">
      {props.upstreams.map(({ id, name, problem }) =>
        problem === undefined ? (
          <button type="submit" name="upstream" value={id} class={props.quiet ? 'quiet' : undefined}>
            {props.verb} {name}
          </button>
        ) : (
          <p class="note">{problem}</p>
        ),
      )}
    </div>
  )
}

/** For the very first account of a public server: whoever creates it must have access to the server's output. */
export function SetUpCode() {
  return (
    <Field
      label="Set-up code"
      name="code"
      type="text"
      autocomplete="one-time-code"
      hint="The server printed it when it started. Only the first account needs it."
      required
      maxlength={100}
    />
  )
}
