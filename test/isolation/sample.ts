import { z } from 'zod'

/** What an input may hold, as JSON Schema says it. */
export interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>
  readonly items?: Shape
  readonly oneOf?: readonly Shape[]
  readonly anyOf?: readonly Shape[]
  readonly const?: unknown
  readonly enum?: unknown
  readonly type?: string
}

export function shapeOf(schema: z.ZodType): Shape {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape
}

/** The names of all fields that hold no further ones. */
export function fieldsOf(shape: Shape): string[] {
  const { properties = {}, oneOf = [] } = shape
  const own = Object.entries(properties).flatMap(([name, inner]) => {
    if (inner.const !== undefined) return []
    const within = fieldsOf(inner.items ?? inner)
    return within.length > 0 ? within : [name]
  })
  return [...new Set([...own, ...oneOf.flatMap(fieldsOf)])]
}

/** The names of those of them that take any text, or any JSON. */
export function textsOf(shape: Shape): string[] {
  const { properties = {}, oneOf = [] } = shape
  const own = Object.entries(properties).flatMap(([name, inner]) => {
    const one = inner.items ?? inner
    if (one.properties !== undefined) return textsOf(one)
    return (one.anyOf ?? [one]).some(takesText) ? [name] : []
  })
  return [...new Set([...own, ...oneOf.flatMap(textsOf)])]
}

function takesText({ type, enum: choices, const: only }: Shape): boolean {
  return choices === undefined && only === undefined && (type === 'string' || type === undefined)
}

/** The alternatives of an input; itself where it has none. */
export const variantsOf = (shape: Shape): readonly Shape[] => shape.oneOf ?? [shape]

/** Every field filled in; those of which `valueOf` knows nothing are left out. */
export function filled(shape: Shape, valueOf: (field: string) => unknown): Record<string, unknown> {
  const entries = Object.entries(shape.properties ?? {}).map(([name, inner]) => [name, valueIn(name, inner, valueOf)])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<string, unknown>
}

function valueIn(name: string, inner: Shape, valueOf: (field: string) => unknown): unknown {
  if (inner.const !== undefined) return inner.const
  if (inner.properties !== undefined) return filled(inner, valueOf)
  if (inner.items?.properties !== undefined) return [filled(inner.items, valueOf)]
  return valueOf(name)
}
