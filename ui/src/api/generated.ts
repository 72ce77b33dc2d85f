// Generated from docs/openapi.json by `make api-types`. Numbers of bodies are as they are
// parsed and written here: digit for digit.
import type { LosslessNumber } from 'lossless-json';

export interface paths {
  '/': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Says that the gateway is there. */
    get: operations['greet'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/auth/config': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Tells how to sign in. */
    get: operations['howToSignIn'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/auth/demo-token': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Gives out a token for trying out, to anyone; in mode `demo` only. */
    post: operations['issueDemoToken'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/auth/me': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Tells whom the token names. */
    get: operations['whoAmI'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/events': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Listens by server-sent events. */
    get: operations['listenByEvents'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/openapi.json': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** This description. */
    get: operations['describe'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/operator/pipeline': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Tells how far each service's sidecar is, of one of its replicas where there are several. */
    get: operations['watchPipeline'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/operator/pipeline/{service}/dead-letters': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Lists what a service's sidecar has given up, and nobody has decided on. */
    get: operations['listDeadLetters'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/operator/pipeline/{service}/dead-letters/retry': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Has a dead letter tried again, as if it had just come. */
    post: operations['retryDeadLetter'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/operator/pipeline/{service}/dead-letters/skip': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Settles a dead letter without its having an effect. */
    post: operations['skipDeadLetter'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/orders': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Lists the orders of all users. */
    get: operations['listOrders'];
    put?: never;
    /**
     * Places an order.
     * @description It is stored together with the request for its payment, and answered `NEW`; the
     *     payment comes afterwards.
     */
    post: operations['placeOrder'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/orders/user/{user_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Lists the orders of a user; none for a user that is not known. */
    get: operations['listOrdersOfUser'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/orders/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Tells of an order. */
    get: operations['getOrder'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/orders/{id}/timeline': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Tells when which step of an order's way was done. */
    get: operations['followOrder'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/users': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Opens a user's account. */
    post: operations['openAccount'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/users/{user_id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Tells a user's balance. */
    get: operations['getBalance'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    /**
     * Tops up or withdraws.
     * @description A withdrawal that the balance does not cover is refused with 400.
     */
    patch: operations['changeBalance'];
    trace?: never;
  };
  '/users/{user_id}/ledger': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Lists what moved a user's balance; the amounts add up to it. */
    get: operations['listLedger'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/ws': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Listens over a WebSocket, by the subprotocols `shop.v1` and `bearer.` with the token behind it.
     * @description Messages are text frames. It is closed with 1008 when the token ends or the client is silent
     *     for two heartbeats, 1007 or 1003 when it sends anything but `{"type":"pong"}`, 1009 when that is
     *     longer than 4 KiB, and 1012 when the gateway stops.
     */
    get: operations['listenByWebSocket'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    /** @description A user's account, as the answer to opening it shows it. */
    Account: {
      /** @description What is on it, never less than zero. */
      balance: components['schemas']['Money'];
      /**
       * @description When it was opened.
       * @example Sun, 22 Nov 2026 12:36:33 GMT
       */
      created_at: string;
      /**
       * Format: uuid
       * @description The account's id.
       */
      id: string;
      /**
       * @description When its balance last changed.
       * @example Sun, 22 Nov 2026 12:36:33 GMT
       */
      updated_at: string;
      /**
       * Format: int64
       * @description Whose it is; a user has one account.
       */
      user_id: LosslessNumber;
    };
    /** @description Whose tokens are accepted. */
    AuthConfig:
      | {
          /** @enum {string} */
          mode: 'demo';
        }
      | {
          /** @description What an interface signs in as. */
          client_id?: string | null;
          /** @description The issuer's URL. */
          issuer?: string | null;
          /** @enum {string} */
          mode: 'jwt';
        };
    /** @description A user's balance. */
    Balance: {
      /** @description How much it is. */
      balance: components['schemas']['Money'];
      /**
       * Format: int64
       * @description Whose it is.
       */
      user_id: LosslessNumber;
    };
    /** @description What a client asks for with a change of the balance. */
    BalanceChange: {
      balance_change?: components['schemas']['Money'] | null;
    };
    /** @description A row that cannot be published, or a message that cannot be applied. */
    DeadLetter: {
      /**
       * Format: int32
       * @description How often it was tried.
       */
      attempts: LosslessNumber;
      /**
       * Format: date-time
       * @description When it was given up.
       */
      deadAt: string;
      /** @description What it is settled by: a row's position, or a message's id. */
      id: string;
      /** @description What it is ordered by. */
      key: string | null;
      /** @description The message's id, if it has one. */
      messageId: string | null;
      /** @description The name of the outbox or inbox. */
      name: string;
      origin: components['schemas']['DeadLetterOrigin'] | null;
      /** @description Why it was given up. */
      reason: string;
      /** @description Which way it was going. */
      side: components['schemas']['Direction'];
    };
    /** @description What became of a decision. */
    DeadLetterDecision: {
      /** @description Those that cannot be tried again, as their row was deleted: `outbox/orders/17`. */
      gone?: string[];
      /**
       * Format: int64
       * @description How many were settled; 0 if someone else was first.
       */
      settled: LosslessNumber;
    };
    /** @description A message's place in Kafka. */
    DeadLetterOrigin: {
      /**
       * Format: int64
       * @description The offset.
       */
      offset: LosslessNumber;
      /**
       * Format: int32
       * @description The partition.
       */
      partition: LosslessNumber;
      /** @description The topic. */
      topic: string;
    };
    /** @description A part of the list of dead letters. */
    DeadLetterPage: {
      /** @description Of outboxes first; of each by place. */
      items: components['schemas']['DeadLetter'][];
      /** @description What `cursor` is to be for the next page; null on the last one. */
      next_cursor: string | null;
    };
    /** @description Names one dead letter: by `id`, and by `outbox` or `inbox`. */
    DeadLetterToSettle: {
      /** @description Its `id` in the list. */
      id: string;
      /** @description The inbox it is of. */
      inbox?: string;
      /** @description The outbox it is of. */
      outbox?: string;
    };
    /** @description A demo token. */
    DemoToken: {
      /**
       * Format: date-time
       * @description Until when it is good.
       */
      expires_at: string;
      /**
       * Format: int64
       * @description For how many seconds it is good.
       */
      expires_in: LosslessNumber;
      /** @description Whether it is an operator's. */
      operator: boolean;
      /** @description What goes into `Authorization: Bearer …`. */
      token: string;
      /** @description `Bearer`. */
      token_type: string;
      /**
       * Format: int64
       * @description The user, if it is one's.
       */
      user_id: LosslessNumber | null;
    };
    /** @description Whose demo token is wanted: a user's, an operator's, or that of an operator who is a user too. */
    DemoTokenRequest: {
      /** @description Whether it is to be an operator's. */
      operator?: boolean;
      /**
       * Format: int64
       * @description The user.
       */
      user_id?: LosslessNumber | null;
    };
    /**
     * @description Which way a message was going.
     * @enum {string}
     */
    Direction: 'outbox' | 'inbox';
    /** @description What is wrong with one field of a request. */
    FieldError: {
      /** @description What is wrong with it. */
      detail: string;
      /**
       * @description The field's path: `amount`, `items[0].name`, a path or query
       *     parameter's name, or a header's.
       */
      field: string;
    };
    /** @description Who asks, as a verified token says. */
    Identity: {
      /**
       * Format: date-time
       * @description When the token ends.
       */
      expires_at: string;
      /** @description Whether they see and do everything. */
      operator: boolean;
      /**
       * Format: int64
       * @description The account that is their own.
       */
      user_id: LosslessNumber | null;
    };
    /** @description A movement of a balance. */
    LedgerEntry: {
      /** @description By how much; negative when the balance fell. */
      amount: components['schemas']['Money'];
      /** @description What the balance was then. */
      balance_after: components['schemas']['Money'];
      /**
       * Format: date-time
       * @description When.
       */
      created_at: string;
      /**
       * Format: int64
       * @description A running number; a later movement of the same account has a larger
       *     one.
       */
      id: LosslessNumber;
      /** @description What moved it: `opening`, `top_up`, `withdrawal` or `payment`. */
      kind: string;
      /**
       * Format: uuid
       * @description The order a payment was for; null for what is no payment.
       */
      order_id: string | null;
    };
    /**
     * @description A list: a page if `limit` or `after` was given, and otherwise the plain array of at most
     *     1000 items, with a `Link` header to the others.
     */
    Listing_LedgerEntry:
      | components['schemas']['Page_LedgerEntry']
      | {
          /** @description By how much; negative when the balance fell. */
          amount: components['schemas']['Money'];
          /** @description What the balance was then. */
          balance_after: components['schemas']['Money'];
          /**
           * Format: date-time
           * @description When.
           */
          created_at: string;
          /**
           * Format: int64
           * @description A running number; a later movement of the same account has a larger
           *     one.
           */
          id: LosslessNumber;
          /** @description What moved it: `opening`, `top_up`, `withdrawal` or `payment`. */
          kind: string;
          /**
           * Format: uuid
           * @description The order a payment was for; null for what is no payment.
           */
          order_id: string | null;
        }[];
    /**
     * @description A list: a page if `limit` or `after` was given, and otherwise the plain array of at most
     *     1000 items, with a `Link` header to the others.
     */
    Listing_Order:
      | components['schemas']['Page_Order']
      | {
          /** @description The price, more than zero. */
          amount: components['schemas']['Money'];
          /**
           * Format: date-time
           * @description When it was taken.
           */
          created_at: string;
          /** @description What was ordered; may be empty. */
          description: string;
          /**
           * Format: uuid
           * @description The order's id; ids grow with time.
           */
          id: string;
          /** @description Why it was cancelled: `insufficient_funds`, `account_not_found` or `payment_failed`. */
          reason: string | null;
          /** @description How far the order is. */
          status: components['schemas']['Status'];
          /**
           * Format: date-time
           * @description When its status last changed.
           */
          updated_at: string;
          /**
           * Format: int64
           * @description Who ordered.
           */
          user_id: LosslessNumber;
        }[];
    /**
     * @description A message to a live client: a text frame of the WebSocket, or the `data` of a
     *     server-sent event, whose `event` is its `type` and whose `id` is its `id`.
     */
    LiveMessage:
      | {
          /**
           * Format: int64
           * @description How often a `ping` comes; silence for longer than two such times is a lost connection.
           */
          heartbeat_seconds: LosslessNumber;
          /**
           * Format: uuid
           * @description The latest event before this connection.
           */
          last_event_id: string | null;
          /**
           * @description Whether everything since the event that was asked for follows. If it was asked
           *     for and is false, fetch everything anew.
           */
          resumed: boolean;
          /** @enum {string} */
          type: 'hello';
        }
      | {
          /** @description What it costs, as text, as the numbers of JavaScript are not exact. */
          amount: string;
          /**
           * Format: date-time
           * @description When it happened.
           */
          at: string;
          /**
           * Format: uuid
           * @description The event, to resume behind.
           */
          id: string;
          /**
           * Format: uuid
           * @description The order.
           */
          order_id: string;
          /** @description Why it was cancelled. */
          reason: string | null;
          /** @description `NEW`, `FINISHED` or `CANCELLED`. */
          status: string;
          /** @enum {string} */
          type: 'order';
          /**
           * Format: int64
           * @description Whose it is.
           */
          user_id: LosslessNumber;
        }
      | {
          /**
           * Format: date-time
           * @description When it happened.
           */
          at: string;
          /**
           * Format: uuid
           * @description The event, to resume behind.
           */
          id: string;
          /** @enum {string} */
          type: 'account';
          /**
           * Format: int64
           * @description Whose it is.
           */
          user_id: LosslessNumber;
        }
      | {
          /** @enum {string} */
          type: 'ping';
        }
      | {
          /** @description `slow_client` or `gap`. */
          reason: string;
          /** @enum {string} */
          type: 'resync';
        }
      | {
          /**
           * Format: int64
           * @description When to come back, in milliseconds.
           */
          after_ms: LosslessNumber;
          /** @enum {string} */
          type: 'reconnect';
        };
    /** @description An amount: at most 15 digits before the point and 4 after it. Exact; a client that reads it as a double may lose digits beyond the 15th. */
    Money: LosslessNumber;
    /** @description What a client asks for with a new account. */
    NewAccount: {
      balance?: components['schemas']['Money'] | null;
      /**
       * Format: int64
       * @description Whose account.
       */
      user_id: LosslessNumber;
    };
    /** @description What a client asks for with a new order. */
    NewOrder: {
      /** @description The price. */
      amount: components['schemas']['Money'];
      /** @description What is ordered; without U+0000. */
      description?: string | null;
      /**
       * Format: int64
       * @description Who orders.
       */
      user_id: LosslessNumber;
    };
    /** @description An order, as clients see it. */
    Order: {
      /** @description The price, more than zero. */
      amount: components['schemas']['Money'];
      /**
       * Format: date-time
       * @description When it was taken.
       */
      created_at: string;
      /** @description What was ordered; may be empty. */
      description: string;
      /**
       * Format: uuid
       * @description The order's id; ids grow with time.
       */
      id: string;
      /** @description Why it was cancelled: `insufficient_funds`, `account_not_found` or `payment_failed`. */
      reason: string | null;
      /** @description How far the order is. */
      status: components['schemas']['Status'];
      /**
       * Format: date-time
       * @description When its status last changed.
       */
      updated_at: string;
      /**
       * Format: int64
       * @description Who ordered.
       */
      user_id: LosslessNumber;
    };
    /** @description A part of a list. */
    Page_LedgerEntry: {
      /** @description The newest first. */
      items: {
        /** @description By how much; negative when the balance fell. */
        amount: components['schemas']['Money'];
        /** @description What the balance was then. */
        balance_after: components['schemas']['Money'];
        /**
         * Format: date-time
         * @description When.
         */
        created_at: string;
        /**
         * Format: int64
         * @description A running number; a later movement of the same account has a larger
         *     one.
         */
        id: LosslessNumber;
        /** @description What moved it: `opening`, `top_up`, `withdrawal` or `payment`. */
        kind: string;
        /**
         * Format: uuid
         * @description The order a payment was for; null for what is no payment.
         */
        order_id: string | null;
      }[];
      /** @description What `after` is to be for the next page; null on the last one. */
      next: string | null;
    };
    /** @description A part of a list. */
    Page_Order: {
      /** @description The newest first. */
      items: {
        /** @description The price, more than zero. */
        amount: components['schemas']['Money'];
        /**
         * Format: date-time
         * @description When it was taken.
         */
        created_at: string;
        /** @description What was ordered; may be empty. */
        description: string;
        /**
         * Format: uuid
         * @description The order's id; ids grow with time.
         */
        id: string;
        /** @description Why it was cancelled: `insufficient_funds`, `account_not_found` or `payment_failed`. */
        reason: string | null;
        /** @description How far the order is. */
        status: components['schemas']['Status'];
        /**
         * Format: date-time
         * @description When its status last changed.
         */
        updated_at: string;
        /**
         * Format: int64
         * @description Who ordered.
         */
        user_id: LosslessNumber;
      }[];
      /** @description What `after` is to be for the next page; null on the last one. */
      next: string | null;
    };
    /** @description How every sidecar is. */
    PipelineOverview: {
      /** @description In the order of the settings. */
      services: components['schemas']['ServicePipeline'][];
    };
    /** @description An error, as RFC 9457 has it. */
    Problem: {
      /** @description What programs know it by; in answers of the first version, the status. */
      code?: string | LosslessNumber;
      /** @description What is wrong in this case. */
      detail: string;
      /** @description The title once more, in answers as those of the first version. */
      error?: string;
      /** @description What is wrong with which field; absent if none is to blame. */
      errors?: components['schemas']['FieldError'][];
      /** @description The status of the answer. */
      status: LosslessNumber;
      /** @description What kind of error it is. */
      title: string;
      /** @description `about:blank`, or what is documented under that name. */
      type: string;
    };
    /** @description How the sidecar of one service is. */
    ServicePipeline: {
      /** @description Whether it has answered. */
      available: boolean;
      /** @description Why it is not available. */
      error?: string;
      /** @description Whose sidecar it is. */
      service: string;
      /** @description What it answers to `GET /status`; if it is available. */
      status?: Record<string, never>;
    };
    /**
     * @description How far an order is.
     * @enum {string}
     */
    Status: 'NEW' | 'PENDING_PAYMENT' | 'FINISHED' | 'CANCELLED';
    /** @description An order's way through both services. */
    Timeline: {
      /** @description Whether the order has come to its end. */
      complete: boolean;
      /**
       * Format: uuid
       * @description The order.
       */
      order_id: string;
      /**
       * @description What has happened to it, each step behind the one that caused it. Steps of which the time is not
       *     known are left out.
       */
      steps: components['schemas']['TimelineStep'][];
      /** @description What it is found by in traces, if it was traced. */
      trace_id: string | null;
    };
    /** @description A step of it. */
    TimelineStep: {
      /**
       * Format: date-time
       * @description When, by the clock of the service's database; of the steps to Kafka the record's timestamp, in
       *     milliseconds, by the producer's or broker's clock. Clocks differ: it may be before that of the step ahead.
       */
      at: string;
      /**
       * Format: double
       * @description Milliseconds since the first step; never less than those of the step ahead.
       */
      elapsed_ms: LosslessNumber;
      /**
       * @description `accepted`; `task_published` to Kafka; `task_received` by the payments service; `paid`
       *     or `refused`; `outcome_published` to Kafka; `outcome_received` by the orders service;
       *     `finished` or `cancelled`.
       */
      step: string;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
  greet: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A greeting. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'text/plain': string;
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  howToSignIn: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Whose tokens are accepted. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['AuthConfig'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  issueDemoToken: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['DemoTokenRequest'];
      };
    };
    responses: {
      /** @description A token. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DemoToken'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description This gateway gives out none. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The `Idempotency-Key` was used for another request. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is no JSON. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  whoAmI: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Whom it names. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Identity'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  listenByEvents: {
    parameters: {
      query?: {
        /** @description The last event that was seen; what came after it follows. */
        last_event_id?: string;
      };
      header?: {
        /** @description The same; it comes first. */
        'Last-Event-ID'?: string | null;
      };
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A stream without an end; see `LiveMessage`. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'text/event-stream': string;
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  describe: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OpenAPI 3.1. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': Record<string, never>;
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  watchPipeline: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description How they are. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['PipelineOverview'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  listDeadLetters: {
    parameters: {
      query?: {
        /** @description Only of the one way. */
        direction?: components['schemas']['Direction'];
        /** @description How many; 100 if nothing is said. */
        limit?: string | number;
        /** @description The `next_cursor` of the page before. */
        cursor?: string;
      };
      header?: never;
      path: {
        /** @description Whose sidecar. */
        service: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A part of the list. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeadLetterPage'];
        };
      };
      /** @description A parameter is wrong. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no such service. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  retryDeadLetter: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description Whose sidecar. */
        service: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['DeadLetterToSettle'];
      };
    };
    responses: {
      /** @description What became of it. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeadLetterDecision'];
        };
      };
      /** @description The body is not usable. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no such service, outbox or inbox. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The `Idempotency-Key` was used for another request. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is no JSON. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  skipDeadLetter: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description Whose sidecar. */
        service: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['DeadLetterToSettle'];
      };
    };
    responses: {
      /** @description What became of it. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeadLetterDecision'];
        };
      };
      /** @description The body is not usable. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no such service, outbox or inbox. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The `Idempotency-Key` was used for another request. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is no JSON. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  listOrders: {
    parameters: {
      query?: {
        /** @description How many items a page has; 100 if only `after` is given. */
        limit?: string | number;
        /** @description The `next` of the page before. */
        after?: string;
        /** @description Only orders of this status. */
        status?: components['schemas']['Status'];
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Orders, the newest first. */
      200: {
        headers: {
          /** @description Where a plain array goes on. */
          Link?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Listing_Order'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  placeOrder: {
    parameters: {
      query?: never;
      header?: {
        /**
         * @description With the same key, method, path and body the call takes effect once, and a
         *     repetition gets the first answer again.
         */
        'Idempotency-Key'?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['NewOrder'];
      };
    };
    responses: {
      /** @description The order. */
      201: {
        headers: {
          /** @description Whether this is the answer of an earlier call. */
          'Idempotency-Replayed'?: boolean;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Order'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The `Idempotency-Key` was used for another request. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is no JSON. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  listOrdersOfUser: {
    parameters: {
      query?: {
        /** @description How many items a page has; 100 if only `after` is given. */
        limit?: string | number;
        /** @description The `next` of the page before. */
        after?: string;
        /** @description Only orders of this status. */
        status?: components['schemas']['Status'];
      };
      header?: never;
      path: {
        /** @description Whose orders. */
        user_id: string | number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Orders, the newest first. */
      200: {
        headers: {
          /** @description Where a plain array goes on. */
          Link?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Listing_Order'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  getOrder: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The order's id. */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The order. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Order'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no such order. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  followOrder: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The order's id. */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Its way so far. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Timeline'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no such order. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  openAccount: {
    parameters: {
      query?: never;
      header?: {
        /**
         * @description With the same key, method, path and body the call takes effect once, and a
         *     repetition gets the first answer again.
         */
        'Idempotency-Key'?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['NewAccount'];
      };
    };
    responses: {
      /** @description The account. */
      201: {
        headers: {
          /** @description Whether this is the answer of an earlier call. */
          'Idempotency-Replayed'?: boolean;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Account'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The user has one, or the `Idempotency-Key` was used for another request. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is no JSON. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  getBalance: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description Whose balance. */
        user_id: string | number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The balance. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Balance'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The user has no account. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  changeBalance: {
    parameters: {
      query?: never;
      header?: {
        /**
         * @description With the same key, method, path and body the call takes effect once, and a
         *     repetition gets the first answer again.
         */
        'Idempotency-Key'?: string;
      };
      path: {
        /** @description Whose balance. */
        user_id: string | number;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['BalanceChange'];
      };
    };
    responses: {
      /** @description The balance that this change made. */
      200: {
        headers: {
          /** @description Whether this is the answer of an earlier call. */
          'Idempotency-Replayed'?: boolean;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Balance'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The user has no account. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The `Idempotency-Key` was used for another request. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The body is no JSON. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  listLedger: {
    parameters: {
      query?: {
        /** @description How many items a page has; 100 if only `after` is given. */
        limit?: string | number;
        /** @description The `next` of the page before. */
        after?: string;
      };
      header?: never;
      path: {
        /** @description Whose ledger. */
        user_id: string | number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Movements, the newest first. */
      200: {
        headers: {
          /** @description Where a plain array goes on. */
          Link?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Listing_LedgerEntry'];
        };
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The user has no account. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service answered something that is no HTTP. */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The service did not answer in time. */
      504: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  listenByWebSocket: {
    parameters: {
      query?: {
        /** @description The last event that was seen; what came after it follows. */
        last_event_id?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The connection; its text frames are of the kind `LiveMessage`. */
      101: {
        headers: {
          [name: string]: unknown;
        };
        content?: never;
      };
      /** @description The request cannot be read or breaks a rule. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description There is no token, or none that is valid. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description It is another user's, or for operators. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description The request asks for no WebSocket. */
      426: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Too often; `Retry-After` says when again. */
      429: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description A fault. It is safe to repeat the request with the same `Idempotency-Key`. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description Something is away; `Retry-After` says when again. */
      503: {
        headers: {
          /** @description Seconds until a repetition has a chance. */
          'Retry-After'?: LosslessNumber;
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
}
