import type { components, paths } from './generated';

/** The API's types by name, with numbers as they are before they are looked at: `LosslessNumber`. */
export type Schemas = components['schemas'];

export type Method = 'GET' | 'POST' | 'PATCH';

type OperationAt<M extends Method, Path extends keyof paths> = NonNullable<
  paths[Path][Lowercase<M>]
>;

/** The addresses that know this method, with `{name}` for what is put in. */
export type PathOf<M extends Method> = {
  [Path in keyof paths]: [OperationAt<M, Path>] extends [never] ? never : Path;
}[keyof paths];

type ParametersOf<Operation, Place extends 'path' | 'query'> = Operation extends {
  parameters: infer Places;
}
  ? Places[Place & keyof Places]
  : never;

type MemberUnlessNever<Name extends string, Value> = [NonNullable<Value>] extends [never]
  ? unknown
  : Record<Name, NonNullable<Value>>;

type BodyOf<Operation> = Operation extends {
  requestBody: { content: { 'application/json': infer Body } };
}
  ? Body
  : never;

/** What a call consists of, besides its address: nothing is left out that the API asks for. */
export type InputOf<M extends Method, Path extends PathOf<M>> = MemberUnlessNever<
  'path',
  ParametersOf<OperationAt<M, Path>, 'path'>
> &
  Partial<MemberUnlessNever<'query', ParametersOf<OperationAt<M, Path>, 'query'>>> &
  MemberUnlessNever<'body', BodyOf<OperationAt<M, Path>>>;

type Successes<Operation> = Operation extends { responses: infer Responses }
  ? Responses[keyof Responses & (200 | 201)]
  : never;

/** What it is answered with when all is well. */
export type AnswerOf<M extends Method, Path extends PathOf<M>> =
  Successes<OperationAt<M, Path>> extends { content: { 'application/json': infer Answer } }
    ? Answer
    : never;

type Primitive = string | number;

/** The address with its names filled in, and its query. */
export function addressOf(
  template: string,
  path: Readonly<Record<string, Primitive>> = {},
  query: Readonly<Record<string, Primitive | null | undefined>> = {},
): string {
  const filled = template.replace(/\{(\w+)\}/g, (_placeholder, name: string) => {
    const value = path[name];
    if (value === undefined) throw new Error(`${template} lacks its ${name}`);
    return encodeURIComponent(value);
  });
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? filled : `${filled}?${new URLSearchParams(given).toString()}`;
}
