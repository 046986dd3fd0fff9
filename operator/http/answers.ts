/** What the agent answers over HTTP, as plain functions: no sockets, so that a test calls them. */
import type { AgentStatus, PlanAnswer } from '../status.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface Asked {
  readonly status: () => AgentStatus;
  readonly plan: () => Promise<PlanAnswer>;
  readonly metrics: () => Promise<{ readonly type: string; readonly body: string }>;
  readonly healthy: () => Health;
  readonly ready: () => Health;
}

/** Undefined: all is well; else why not. */
export type Health = string | undefined;

/** `Source`: whom it asks; the agent, where nothing else is said. */
export type Route<Source = Asked> = (asked: Source) => Answer | Promise<Answer>;
export type Routes<Source = Asked> = Readonly<Record<string, Route<Source>>>;

const health = (verdict: Health): Answer =>
  verdict === undefined ? text(200, 'ok\n') : text(503, `${verdict}\n`);

const STATUS: Route = (asked) => json(asked.status());
/** For whoever has no more to say than whether it is well. */
export const HEALTH_ROUTES: Routes<Pick<Asked, 'metrics' | 'healthy' | 'ready'>> = {
  '/healthz': (asked) => health(asked.healthy()),
  '/readyz': (asked) => health(asked.ready()),
  '/metrics': async (asked) => ({ status: 200, ...(await asked.metrics()) }),
};
const HEALTH: Routes = { ...HEALTH_ROUTES, '/status': STATUS };

/** The socket is root's: it may also ask what would change. `/events` is a stream of its own. */
export const SOCKET_ROUTES: Routes = {
  ...HEALTH,
  '/plan': async (asked) => json(await asked.plan()),
};

/** Anybody who reaches the port may ask these: nothing secret, nothing that costs much. */
export const PORT_ROUTES: Routes = HEALTH;

export interface Request {
  readonly method: string;
  readonly path: string;
}

export async function answer<Source>(
  routes: Routes<Source>,
  asked: Source,
  request: Request,
): Promise<Answer> {
  const route = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined;
  if (route === undefined) return text(404, `no such path; there are ${Object.keys(routes).join(', ')}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'read-only: GET\n');
  try {
    return await route(asked);
  } catch (error) {
    return text(500, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function json(value: unknown): Answer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}
