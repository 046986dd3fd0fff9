import { isObject, type Json, type JsonObject, metadataOf, type Resource, text } from './objects.ts';
import { badRequest, invalid } from './status-error.ts';

/** Kubernetes allows this much for all annotations of an object together. */
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** Refuses what no kind of object may have; throws `StatusError` 400 or 422. */
export function validate(resource: Resource, object: JsonObject): void {
  const meta = metadataOf(object);
  const name = text(meta.name) ?? '';
  if (name.length > 253 || !SUBDOMAIN.test(name)) {
    throw invalid(
      resource,
      name,
      `metadata.name: Invalid value: "${name}": a lowercase RFC 1123 subdomain is needed`,
    );
  }
  for (const field of ['annotations', 'labels']) validateMap(resource, { name, field, map: meta[field] });
}

interface MapField {
  readonly name: string;
  readonly field: string;
  readonly map: Json | undefined;
}

function validateMap(resource: Resource, { name, field, map }: MapField): void {
  if (map === undefined) return;
  if (!isObject(map)) throw badRequest(`metadata.${field} is not a map of strings`);
  let bytes = 0;
  for (const [key, value] of Object.entries(map)) {
    if (typeof value !== 'string')
      throw badRequest(`metadata.${field}: the value of "${key}" is not a string`);
    if (!QUALIFIED.test(key)) throw invalid(resource, name, `metadata.${field}: Invalid value: "${key}"`);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (field === 'annotations' && bytes > ANNOTATIONS_LIMIT_BYTES) {
    throw invalid(
      resource,
      name,
      `metadata.annotations: Too long: may not be more than ${ANNOTATIONS_LIMIT_BYTES} bytes`,
    );
  }
}
