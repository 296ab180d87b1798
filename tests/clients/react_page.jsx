// A page that follows a group and an item with React's hooks, as an app of Motia's users does.
import { useState } from 'react'
import { createRoot } from 'react-dom/client'
import * as stable from '@motiadev/stream-client-react'
import * as newest from 'stream-client-react-0-17'

const parameters = new URLSearchParams(location.search)
const client = parameters.get('client') === 'newest' ? newest : stable
const { MotiaStreamProvider, useStreamGroup, useStreamItem, useStreamEventHandler } = client

function Messages() {
  const { data: messages, event } = useStreamGroup({ streamName: 'messages', groupId: 'default' })
  const { data: first } = useStreamItem({ streamName: 'messages', groupId: 'default', id: 'u1' })
  const [pings, setPings] = useState(0)
  useStreamEventHandler({ event, type: 'ping', listener: () => setPings((count) => count + 1) }, [])
  return (
    <main>
      <h1>Messages</h1>
      <ul>
        {messages.map((message) => (
          <li key={message.id} id={`message-${message.id}`}>
            <b>{message.userId}</b> {message.text} <i>{message.status}</i>
          </li>
        ))}
      </ul>
      <p id="first">{first ? first.text : 'nothing yet'}</p>
      <p id="pings">{pings}</p>
    </main>
  )
}

createRoot(document.getElementById('root')).render(
  <MotiaStreamProvider address={parameters.get('address')}>
    <Messages />
  </MotiaStreamProvider>,
)
