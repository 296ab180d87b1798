// Follows streams with the npm client for Node. Commands come as JSON lines on stdin, states and events go as JSON lines
// to stdout: {"name", "state"} whenever a subscription's state changes, {"name", "event", "data"} for its own events.
import { createInterface } from 'node:readline'
import { Stream } from '@motiadev/stream-client-node'

const [address, ...protocols] = process.argv.slice(2)
const stream = new Stream(address, protocols.length > 0 ? { protocols } : undefined)
const subscriptions = new Map()

const tell = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

const commands = {
  group: ({ name, stream: streamName, group, sortKey }) => follow(name, stream.subscribeGroup(streamName, group, sortKey)),
  item: ({ name, stream: streamName, group, id }) => follow(name, stream.subscribeItem(streamName, group, id)),
  on: ({ name, type }) => subscriptions.get(name).onEvent(type, (data) => tell({ name, event: type, data })),
  close: ({ name }) => subscriptions.get(name).close(),
  // the connection breaks without a goodbye, as it does when a laptop sleeps
  break: () => stream.ws.ws.terminate(),
}

function follow(name, subscription) {
  subscriptions.set(name, subscription)
  subscription.addChangeListener((state) => tell({ name, state }))
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line)
    commands[command.do](command)
    tell({ done: command.do })
  })
  .on('close', () => process.exit(0))
