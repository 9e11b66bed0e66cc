/** Somebody who reads on while something happens, and may lose the right to. */
export interface Reader {
  readonly userId: string
  /** May this caller read this? Throws an AppError where not; asked before the answer, and when something happened. */
  check(): Promise<void>
  /**
   * The part of it that whoever reads might not be told of: is the caller still who they were? Asked again and again while it
   * is open. What happens in a workspace is in its journal, which is watched and misses nothing.
   */
  checkCaller(): Promise<void>
  /** From when it resolves until the signal: calls `recheck` as soon as something happened that `check` should look at. */
  watch(recheck: () => void, signal: AbortSignal): Promise<void>
}

/** Events as far as a stream looks into them; their JSON is the data. */
export interface SourcedEvent {
  readonly seq: number
  readonly type: string
}

/** What a reader of events gets. */
export interface EventSource extends Reader {
  /** Must end when the signal says so. */
  follow(signal: AbortSignal): AsyncIterable<readonly SourcedEvent[]>
}

/** The same as text on the wire. */
export interface StreamSource extends Reader {
  /** Whole server-sent events (WHATWG HTML, section 9.2), one or several. Pulled by its reader; must end with the signal. */
  chunks(signal: AbortSignal): AsyncGenerator<string, void>
}
