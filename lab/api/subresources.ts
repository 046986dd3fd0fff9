/** Which part of an object a write may change: the status, or the rest. */
import { type JsonObject, type KubeObject, metadataOf, type Resource, without } from './objects.ts';

interface Target {
  readonly resource: Resource;
  readonly subresource?: 'status';
}

/** A write to `/status` leaves the rest as it is, every other write leaves the status. */
export function onlyWritable(write: Target, body: JsonObject, live: KubeObject): JsonObject {
  if (write.resource.status === undefined) return body;
  const [part, rest] = write.subresource ? [body, live] : [live, body];
  const metadata = write.subresource && write.resource.status === 'custom' ? live.metadata : metadataOf(body);
  return { ...without(rest, 'status'), metadata, ...(part.status !== undefined && { status: part.status }) };
}

/** The same for an apply, which leaves alone what it does not name. */
export function applicable(write: Target, applied: JsonObject): JsonObject {
  if (write.resource.status === undefined) return applied;
  if (!write.subresource) return without(applied, 'status');
  const metadata = write.resource.status === 'node' ? { metadata: metadataOf(applied) } : {};
  return { ...metadata, ...(applied.status !== undefined && { status: applied.status }) };
}
