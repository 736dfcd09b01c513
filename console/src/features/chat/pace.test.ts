import { expect, it } from 'vitest'
import { Pace } from './pace'

it('draws less often the longer it takes, within limits', () => {
  const pace = new Pace()
  expect(pace.interval).toBe(60)
  for (let index = 0; index < 30; index += 1) pace.took(40)
  expect(pace.interval).toBeCloseTo(200, 0)
  for (let index = 0; index < 30; index += 1) pace.took(1000)
  expect(pace.interval).toBe(400)
  for (let index = 0; index < 30; index += 1) pace.took(2)
  expect(pace.interval).toBe(60)
})
