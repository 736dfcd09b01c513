import { expect, test } from 'vitest'
import { browserOf } from './browser'

test('a browser that also calls itself Chrome and Safari is told apart', () => {
  expect(browserOf('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0')).toBe('Edge 140 · Windows')
  expect(browserOf('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.8078.108 Safari/537.36')).toBe('Chrome 156 · Linux')
  expect(browserOf('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1')).toBe('Safari 18 · iOS')
})

test('what is no browser is shown as it is', () => {
  expect(browserOf('curl/7.88.1')).toBe('curl 7.88.1')
  expect(browserOf('my-script')).toBe('my-script')
})
