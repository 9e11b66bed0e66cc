import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, mostly by waiting: begun last, they would be waited for alone. */
const SLOW = [
  'demo.test.ts',
  'linearizability/faults.test.ts',
  'web/chromium-look.test.ts',
  'web/chromium-flow.test.ts',
  'process/stop.test.ts',
  'process/crash.test.ts',
  'db/embedded.test.ts',
  'db/embedded-places.test.ts',
  'simulation/mutants.test.ts',
]

/** Vitest's own order, which is by what it remembers or by size, with those in front. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = SLOW.findIndex((name) => moduleId.endsWith(`/test/${name}`))
      return place === -1 ? SLOW.length : place
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}
