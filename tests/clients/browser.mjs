// Headless Chromium at a test's hands: JSON lines on stdin, one answer a line on stdout.
// {"open": url} · {"evaluate": expression} · {"offline": true|false} · {"screenshot": path}
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const arguments_ = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']
const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: [...arguments_, '--no-sandbox', '--disable-component-update', '--disable-sync'],
})
const context = await browser.newContext({ viewport: { width: 640, height: 400 } })
const page = await context.newPage()
const problems = []
page.on('pageerror', (error) => problems.push(String(error)))

const commands = {
  open: (url) => page.goto(url).then(() => null),
  evaluate: (expression) => page.evaluate(expression),
  offline: (offline) => context.setOffline(offline).then(() => null),
  screenshot: (path) => page.screenshot({ path }).then(() => null),
  problems: () => problems,
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, argument] = Object.entries(JSON.parse(line))[0]
  try {
    const result = await commands[name](argument)
    process.stdout.write(`${JSON.stringify({ result: result ?? null })}\n`)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`)
  }
}
await browser.close()
