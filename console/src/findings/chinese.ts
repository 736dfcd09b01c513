import type { Schema } from '@/api/types'

type Code = Schema<'FindingCode'>
type Operation = Schema<'OperationKind'>

/** What the texts of a finding or of a rule's suggestion are made from. A suggestion has the values of its title alone. */
export interface FindingFacts {
  function: string
  count: number
  impact: number
  parameters: Schema<'FindingParameters'>
}

/** How figures are written. */
export interface Figures {
  /** Nanoseconds. */
  time: (ns: number | undefined) => string
  share: (share: number) => string
  bytes: (bytes: number | undefined) => string
}

interface Texts {
  description: (facts: FindingFacts, figures: Figures) => string
  title: (facts: Pick<FindingFacts, 'function' | 'parameters'>) => string
  advice: string
}

const WAITED_FOR: Partial<Record<Operation, string>> = {
  database: '数据库',
  cache: '缓存',
  model: '模型',
  tool: '工具',
  queue: '队列',
}
const waitedFor = (operation: Operation | undefined) => (operation && WAITED_FOR[operation]) ?? '其他服务'

const code = (text: string | undefined) => `\`${text ?? ''}\``

const repeatedQuery =
  (what: string): Texts['description'] =>
  ({ function: name, count, impact, parameters: p }, f) =>
    `${code(name)} ${what}：${count} 次 ${code(p.statement)}，共 ${f.time(p.total_ns)}，其中数据库 ${f.time(p.database_ns)}，占请求的 ${f.share(impact)}。`

const byItself =
  (what: string): Texts['description'] =>
  ({ function: name, impact, parameters: p }, f) =>
    `${code(name)} 自身${what}，用时 ${f.time(p.total_ns)}，占请求的 ${f.share(impact)}，共调用 ${p.function_calls ?? 0} 次。`

/** The texts of the findings of rules in Chinese, by their code. The server writes them in English. */
export const CHINESE: Record<Code, Texts> = {
  fetch_rows_together: {
    description: repeatedQuery('对上一条查询的每一行各执行一次查询'),
    title: ({ function: name }) => `用一条查询取出 ${code(name)} 需要的所有行`,
    advice: '查出列表之后，又对其中每一行各查询一次。可以用 JOIN 合并两条查询，对所有行只执行一次第二条查询（WHERE … IN），或使用 ORM 的预加载（selectinload、joinedload、prefetch_related、select_related）。',
  },
  write_rows_together: {
    description: repeatedQuery('反复执行同一条语句'),
    title: ({ function: name }) => `用一条语句写入 ${code(name)} 的所有行`,
    advice: '每条语句都是一次单独的往返。请一起发送：executemany、一条插入多行的 INSERT，或与数据关联的 UPDATE。',
  },
  query_once: {
    description: repeatedQuery('反复执行同一条语句'),
    title: ({ function: name }) => `${code(name)} 重复的查询只执行一次`,
    advice: '同一条语句被反复发送。可以一次查出所有值，或在同一请求内复用结果。',
  },
  speed_up_query: {
    description: ({ function: name, count, impact, parameters: p }, f) =>
      `${code(name)} 等待 ${code(p.statement)} 最长 ${f.time(p.longest_ns)}${count > 1 ? `，共 ${count} 次` : ''}，占请求的 ${f.share(impact)}。`,
    title: ({ function: name, parameters: p }) => `优化 ${code(name)} 的查询：${code(p.statement)}`,
    advice: '查看执行计划（EXPLAIN ANALYZE）：为 WHERE、JOIN 和 ORDER BY 的列加索引，减少查询的列，加上 LIMIT，或存储预先算好的结果。',
  },
  reuse_result: {
    description: ({ function: name, count, impact, parameters: p }, f) =>
      `${code(name)} 重复同样的调用 ${count} 次：${code(p.target)}，共 ${f.time(p.total_ns)}，占请求的 ${f.share(impact)}。`,
    title: ({ function: name, parameters: p }) => `复用 ${code(name)} 从 ${code(p.target)} 得到的结果`,
    advice: '同一请求内多次执行了同样的调用。只调用一次并传递结果，或在允许的时效内缓存。',
  },
  wait_concurrently: {
    description: ({ function: name, count, impact, parameters: p }, f) =>
      `${code(name)} 依次等待${waitedFor(p.operation)} ${count} 次：共 ${f.time(p.total_ns)}，占请求的 ${f.share(impact)}；并发执行只需 ${f.time(p.longest_ns)}。`,
    title: ({ function: name, parameters: p }) => `让 ${code(name)} 并发等待${waitedFor(p.operation)}`,
    advice: '如果这些调用互不依赖，先全部发起，再一起等待：asyncio.TaskGroup 或 asyncio.gather；同步代码用线程池。每个查询需要各自的连接，或改用一条查询取回全部数据。',
  },
  fill_cache: {
    description: ({ function: name, count, impact, parameters: p }, f) =>
      `${code(name)} 在缓存中查找 ${code(p.target)} ${p.lookups ?? 0} 次，其中 ${count} 次未命中；加上随后的读取共 ${f.time(p.total_ns)}，占请求的 ${f.share(impact)}。`,
    title: ({ function: name }) => `预热 ${code(name)} 使用的缓存，并批量查找`,
    advice: '几乎每次查找都未命中：键与写入时不一致、值过早过期，或缓存太小。请一次查找多个键，用一条查询取出缺少的值并写回，预先加载每个请求都要用的数据。',
  },
  reduce_first_byte: {
    description: ({ function: name, impact, parameters: p }, f) =>
      `${code(name)} 等待 ${code(p.target)} 的首字节最长 ${f.time(p.longest_ns)}，占请求的 ${f.share(impact)}。`,
    title: ({ function: name, parameters: p }) => `缩短 ${code(name)} 等待 ${code(p.target)} 首字节的时间`,
    advice: '时间耗在对方发出首字节之前：对方在计算、请求在排队，或每个请求都新建连接。请复用连接，缓存可以稍旧的响应，提前或在后台发送请求，并设置超时。',
  },
  find_wait: {
    description: byItself('在等待（未被追踪的代码）'),
    title: ({ function: name }) => `找出 ${code(name)} 在等什么`,
    advice: '它几乎不占用处理器：在休眠、等锁，或等待未被追踪的输入输出。先追踪这段代码，再缩短等待，或在等待时做别的工作。',
  },
  trace_request: {
    description: byItself('在追踪到的调用之外忙碌'),
    title: ({ function: name }) => `追踪 ${code(name)} 内部的执行`,
    advice: '时间不在任何追踪到的调用里。请追踪处理该接口的函数，看是哪一个耗时。',
  },
  compute_less: {
    description: byItself('在计算'),
    title: ({ function: name }) => `减少 ${code(name)} 的计算`,
    advice: '请求的大部分时间在它自己的代码里。检查对同一数据的嵌套循环、可以换成 set 或 dict 的列表查找、在循环中重复计算的值，以及可以只做一次、提前做或移到请求之外的工作。',
  },
  unroll_recursion: {
    description: ({ function: name, impact, parameters: p }, f) =>
      `${code(name)} 递归 ${p.depth ?? 0} 层，共 ${p.function_calls ?? 0} 次调用；自身代码用时 ${f.time(p.total_ns)}，占请求的 ${f.share(impact)}。`,
    title: ({ function: name }) => `把 ${code(name)} 改成循环，或缓存其结果`,
    advice: '深度随数据增长的递归会导致栈溢出，反复求解同样子问题的递归耗时呈指数增长。请缓存结果（functools.cache），用显式的栈改成循环，并限制深度。',
  },
  avoid_exceptions: {
    description: ({ function: name, count, impact, parameters: p }, f) =>
      `${code(name)} 吞掉 ${code(p.exception)} ${count} 次，由 ${code(p.raised_by)} 抛出：共 ${f.time(p.total_ns)}，占请求的 ${f.share(impact)}。`,
    title: ({ function: name }) => `避免 ${code(name)} 反复吞掉异常`,
    advice: '抛出并捕获异常比事先检查代价更高，被吞掉的错误也无人察觉。请事先检查，在循环之外捕获，并记录意外的异常。',
  },
  release_memory: {
    description: ({ function: name, parameters: p }, f) => `请求期间占用的内存增长了 ${f.bytes(p.growth_bytes)}，其中 ${f.bytes(p.retained_bytes)} 由 ${code(name)} 保留。`,
    title: ({ function: name }) => `释放 ${code(name)} 保留的内存`,
    advice: '请求结束后仍存在的对象被长期存活的对象引用：模块级的列表或字典、无上限的缓存，或每次都注册的回调。请设置上限，或使其随请求一起释放。',
  },
  wait_less: {
    description: ({ function: name, count, impact, parameters: p }, f) =>
      `请求有 ${f.share(impact)} 的时间在应用自身代码之外；主要是 ${code(name)} 等待${waitedFor(p.operation)}（${count} 次调用，共 ${f.time(p.total_ns)}）。`,
    title: ({ function: name, parameters: p }) => `让 ${code(name)} 少等${waitedFor(p.operation)}`,
    advice: '缓存很少变化的响应，减少请求或提前请求，把工作移到后台任务，并按请求的要求设置超时。',
  },
}
