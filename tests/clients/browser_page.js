// The npm client for browsers, at the page's hands: `follow(...)` writes each state of a subscription into the page.
import * as stable from '@motiadev/stream-client-browser'
import * as newest from 'stream-client-browser-0-17'

const { Stream } = new URLSearchParams(location.search).get('client') === 'newest' ? newest : stable

window.connect = (address, protocols) => {
  window.stream = new Stream(address, protocols ? { protocols } : undefined)
}

window.followGroup = (streamName, group) => show(window.stream.subscribeGroup(streamName, group))
window.followItem = (streamName, group, id) => show(window.stream.subscribeItem(streamName, group, id))

function show(subscription) {
  const place = document.createElement('pre')
  document.body.append(place)
  subscription.addChangeListener((state) => {
    place.textContent = JSON.stringify(state)
  })
}
