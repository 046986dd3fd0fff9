/** The one adapter over the `netlink` package: rtnetlink(7) in the words of `types.ts`. */
import * as links from './links.ts';
import { Listener } from './listener.ts';
import * as routes from './routes.ts';
import { type Encode, NETLINK_ROUTE, RequestSocket } from './socket.ts';
import type { Netlink, Notice, Write } from './types.ts';
import type { Message } from './wire.ts';

/** Each of our own writes comes back as a notice: from this many routes on, listening costs more than reading again. */
const MANY_ROUTES = 500;

/** Opens a socket at once. @throws ErrnoException of socket(2). */
export function openNetlink(): Netlink {
  const requests = new RequestSocket(NETLINK_ROUTE);
  const listeners = new Set<Listener>();

  return {
    links: () => requests.list(links.listLinks, (message) => links.parseLink(message.body)),
    addresses: () => requests.list(links.listAddresses, (message) => links.parseAddress(message.body)),
    routes: (keep) =>
      requests.list(routes.listRoutes, ({ body }) => {
        if (routes.isCached(body)) return undefined;
        const { table, protocol } = routes.routeOwner(body);
        return keep(table, protocol) ? routes.parseRoute(body) : undefined;
      }),
    rules: async () => [
      ...(await requests.list(routes.listRules(4), (message) => routes.parseRule(message.body))),
      ...(await requests.list(routes.listRules(6), (message) => routes.parseRule(message.body))),
    ],
    packets: async (index) =>
      (await requests.list(links.getLink(index), (message) => links.parsePackets(message.body)))[0] ?? 0n,
    write: async (writes) => {
      const deaf = writes.filter(isRouteWrite).length > MANY_ROUTES;
      if (deaf) for (const listener of listeners) listener.pause();
      try {
        return await requests.send(writes.map(encodeWrite));
      } finally {
        if (deaf) for (const listener of listeners) listener.resume();
      }
    },
    watch: (onNotice, signal) => {
      // A second socket, for notices only: on one socket they would come in between the parts of a dump.
      const listener = new Listener({
        onMessage: (message) => {
          const notice = message.port === requests.port ? undefined : parseNotice(message);
          if (notice !== undefined) onNotice(notice);
        },
        onOverrun: () => onNotice({ type: 'overrun' }),
      });
      listeners.add(listener);
      signal.addEventListener('abort', () => {
        if (listeners.delete(listener)) listener.close();
      });
    },
    close: () => {
      for (const listener of listeners) listener.close();
      listeners.clear();
      requests.close();
    },
  };
}

const isRouteWrite = (write: Write) => write.type === 'replaceRoute' || write.type === 'removeRoute';

function encodeWrite(write: Write): Encode {
  switch (write.type) {
    case 'createLink':
      return links.createLink(write);
    case 'setLink':
      return links.setLink(write);
    case 'removeLink':
      return links.removeLink(write.name);
    case 'addAddress':
      return links.addAddress(write.index, write.address);
    case 'removeAddress':
      return links.removeAddress(write.index, write.address);
    case 'replaceRoute':
      return routes.replaceRoute(write.route);
    case 'removeRoute':
      return routes.removeRoute(write.route);
    case 'addRule':
      return routes.addRule(write.rule);
    case 'removeRule':
      return routes.removeRule(write.rule);
  }
}

function parseNotice({ type, body }: Message): Notice | undefined {
  switch (type) {
    case links.RTM_LINK.NEW:
    case links.RTM_LINK.DEL:
      return { type: 'link', removed: type === links.RTM_LINK.DEL, link: links.parseLink(body) };
    case links.RTM_ADDRESS.NEW:
    case links.RTM_ADDRESS.DEL:
      return { type: 'address', removed: type === links.RTM_ADDRESS.DEL, address: links.parseAddress(body) };
    case routes.RTM_ROUTE.NEW:
    case routes.RTM_ROUTE.DEL:
      return { type: 'route', removed: type === routes.RTM_ROUTE.DEL, route: routes.parseRoute(body) };
    case routes.RTM_RULE.NEW:
    case routes.RTM_RULE.DEL:
      return { type: 'rule', removed: type === routes.RTM_RULE.DEL, rule: routes.parseRule(body) };
    default:
      return undefined;
  }
}
