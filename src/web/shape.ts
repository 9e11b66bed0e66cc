/** A schema of the OpenAPI document, as far as it is shown to people. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly description?: string
  readonly nullable?: boolean
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
}

/** A schema in the way of TypeScript, which most people who program read: `?` is a field that may be left out. */
export function shapeOf(schema: Schema, indent = ''): string {
  const shape = withoutNull(schema, indent)
  return schema.nullable === true ? `${shape} | null` : shape
}

function withoutNull(schema: Schema, indent: string): string {
  const { $ref, type, format, properties, items } = schema
  if ($ref !== undefined) return $ref.split('/').at(-1) ?? $ref
  const choices = schema.oneOf ?? schema.anyOf
  if (choices !== undefined) return choices.map((one) => shapeOf(one, indent)).join(' | ')
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (items !== undefined) {
    const item = shapeOf(items, indent)
    return item.includes(' | ') && items.properties === undefined ? `(${item})[]` : `${item}[]`
  }
  if (properties !== undefined) return fieldsOf(properties, schema.required ?? [], indent)
  if (format === 'date-time') return 'string (time)'
  return type ?? 'any JSON'
}

function fieldsOf(properties: Readonly<Record<string, Schema>>, required: readonly string[], indent: string): string {
  const names = Object.entries(properties)
  if (names.length === 0) return '{}'
  const inner = `${indent}  `
  const lines = names.map(([name, field]) => {
    const note = field.description === undefined ? '' : `  // ${field.description}`
    return `${inner}${name}${required.includes(name) ? '' : '?'}: ${shapeOf(field, inner)}${note}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}
