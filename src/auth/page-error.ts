import type { Problem } from '../web/pages/problem.tsx'

/** A refusal that a person meets on a page of ours and no program ever sees. */
export class PageError extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.happened)
    this.name = 'PageError'
    this.problem = problem
  }
}
