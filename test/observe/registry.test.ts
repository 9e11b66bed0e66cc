import { describe, expect, test } from 'vitest'
import { createRegistry } from '../../src/observe/registry.ts'

const samples = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(name))

describe('the registry', () => {
  test('tells a histogram by cumulative buckets, with sum and count', () => {
    const registry = createRegistry()
    for (const value of [0.001, 0.002, 0.2, 99]) {
      registry.observe('orkestrate_workspace_wait_seconds', {}, value)
    }
    expect(samples(registry.render(), 'orkestrate_workspace_wait_seconds')).toEqual([
      'orkestrate_workspace_wait_seconds_bucket{le="0.002"} 2',
      ...['0.005', '0.01', '0.025', '0.05', '0.1'].map(
        (le) => `orkestrate_workspace_wait_seconds_bucket{le="${le}"} 2`,
      ),
      ...['0.25', '0.5', '1', '2.5', '10'].map((le) => `orkestrate_workspace_wait_seconds_bucket{le="${le}"} 3`),
      'orkestrate_workspace_wait_seconds_bucket{le="+Inf"} 4',
      `orkestrate_workspace_wait_seconds_sum ${0.001 + 0.002 + 0.2 + 99}`,
      'orkestrate_workspace_wait_seconds_count 4',
    ])
  })

  test('folds whatever is not in the list of a label into one series, however much of it comes', () => {
    const registry = createRegistry()
    registry.allow('tool', ['claim_scope'])
    for (const tool of ['claim_scope', ...Array.from({ length: 500 }, (_, n) => `x"} 1\nforged_${n}`)]) {
      registry.observe('orkestrate_tool_call_duration_seconds', { tool, outcome: 'ok' }, 1)
    }
    const text = registry.render()
    expect(text).not.toContain('forged')
    expect(samples(text, 'orkestrate_tool_call_duration_seconds_count')).toEqual([
      'orkestrate_tool_call_duration_seconds_count{tool="claim_scope",outcome="ok"} 1',
      'orkestrate_tool_call_duration_seconds_count{tool="other",outcome="ok"} 500',
    ])
    expect(() => registry.allow('tool', ['a"b'])).toThrow('cannot say')
  })

  test('has counters with one label at zero before anything happened, so that rate() sees the first time', () => {
    const registry = createRegistry()
    expect(samples(registry.render(), 'orkestrate_rate_limited_total')).toEqual([
      'orkestrate_rate_limited_total{rate="calls"} 0',
      'orkestrate_rate_limited_total{rate="sensitive calls"} 0',
    ])
  })

  test('a hold ends once, whoever ends it again', () => {
    const registry = createRegistry()
    const [first, second] = [1, 2].map(() => registry.hold('orkestrate_event_streams', { stream: 'rest' }))
    first?.()
    first?.()
    expect(samples(registry.render(), 'orkestrate_event_streams{')).toEqual([
      'orkestrate_event_streams{stream="rest"} 1',
    ])
    second?.()
    expect(samples(registry.render(), 'orkestrate_event_streams{')).toEqual([
      'orkestrate_event_streams{stream="rest"} 0',
    ])
  })
})
