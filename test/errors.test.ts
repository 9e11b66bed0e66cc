import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { AppError, ERRORS, toAppError, type ErrorCode } from '../src/kernel/errors.ts'

// Over the whole table at once: a code that is added and left unexplained or unused fails here.

const CODES = Object.keys(ERRORS) as ErrorCode[]

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/u.test(file) && !file.endsWith('errors.ts'))
  .map((file) => readFileSync(SRC + file, 'utf8'))
  .join('\n')

test('every code is thrown somewhere', () => {
  const unused = CODES.filter((code) => !new RegExp(`AppError\\(\\s*'${code}'`, 'u').test(sources))
  expect(unused).toEqual([])
})

test.each(CODES)('%s says what happened and what to do, in whole sentences', (code) => {
  const { title, recovery, status } = ERRORS[code]
  expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/u)
  expect(title).toMatch(/^[A-Z].*\.$/u)
  expect(recovery.length).toBeGreaterThan(0)
  expect(recovery.at(-1)).toMatch(/\.$/u)
  expect(recovery.at(0)).toMatch(/^[A-Z]/u)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(600)
})

test('a code whose call may succeed later, unchanged, says so by its status or is a conflict', () => {
  const retryable = CODES.filter((code) => ERRORS[code].retryable)
  expect(retryable.filter((code) => ![409, 429, 500, 503].includes(ERRORS[code].status))).toEqual([])
})

test('whatever else is thrown is INTERNAL, and nothing of its text is public', () => {
  const error = toAppError(new Error('password=hunter2'))
  expect(error.code).toBe('INTERNAL')
  expect(JSON.stringify([error.message, error.details, error.recovery])).not.toContain('hunter2')
  const refusal = new AppError('NOT_FOUND')
  expect(toAppError(refusal)).toBe(refusal)
})
