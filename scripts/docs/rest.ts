import { curlOf } from '../../src/kernel/example.ts'
import { ALL_OPERATIONS } from './tables.ts'

/** Where the server is, in the commands of the page. */
const BASE = '$ORKESTRATE'

/** Every operation with the commands of its examples; test/http/curl.test.ts runs them. */
export function restExamples(): string {
  const tags = [...new Set(ALL_OPERATIONS.map(({ tag }) => tag))]
  return tags
    .map(
      (tag) =>
        `## ${tag}\n\n${ALL_OPERATIONS.filter((one) => one.tag === tag)
          .map(section)
          .join('\n\n')}`,
    )
    .join('\n\n')
}

function section(operation: (typeof ALL_OPERATIONS)[number]): string {
  const { method, path, description, examples } = operation
  const heading = `### \`${method} ${path.replace(/:(\w+)/gu, '{$1}')}\``
  const blocks = examples.map((example) => {
    const commands = curlOf(operation, example, BASE).join('\n')
    return `${examples.length > 1 ? `${example.title}:\n\n` : ''}\`\`\`sh\n${commands}\n\`\`\``
  })
  return [heading, description, ...blocks].join('\n\n')
}
