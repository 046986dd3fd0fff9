import { stringify } from 'yaml';

/** One document an object, as `kubectl apply -f -` and kustomize take it. */
export function toDocuments(objects: readonly object[]): string {
  // Each for itself: no anchors, which not every reader of manifests knows.
  return objects
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false, blockQuote: 'literal' }))
    .join('---\n');
}
