/** `/events`: server-sent events (WHATWG HTML, 9.2), the whole status first. */
import type { ServerResponse } from 'node:http';
import type { Events } from '../agent/events.ts';
import type { AgentEvent, AgentStatus } from '../status.ts';

/** A follower that does not read is let go before it costs memory: bytes. */
const BACKLOG_MAX = 4 * 1024 * 1024;

export function followEvents(events: Events, status: () => AgentStatus, now: () => number) {
  return (response: ServerResponse, signal: AbortSignal): void => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const send = (event: AgentEvent) => {
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      if (response.writableLength > BACKLOG_MAX) response.destroy();
    };
    send({ type: 'status', at: now(), status: status() });
    events.follow(send, signal);
  };
}
