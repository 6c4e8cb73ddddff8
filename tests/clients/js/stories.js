// What kafkajs is told to do in a story. Arguments: the broker, a verb, and the verb's own as JSON; the outcome is one
// line of JSON on stdout. kafkajs is found through NODE_PATH.
const { Kafka, logLevel } = require('kafkajs')

const [broker, verb, json] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'kafkajs-story', brokers: [broker], logLevel: logLevel.NOTHING })

// Who leaves waits for the answer to its last question.
const maxWaitTimeInMs = 200

const told = (message, partition) => ({
  partition,
  offset: Number(message.offset),
  key: message.key && message.key.toString(),
  value: message.value && message.value.toString(),
  headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()])),
})

async function produce({ topic, messages, compression }) {
  const producer = kafka.producer()
  await producer.connect()
  const answers = await producer.send({ topic, messages, acks: -1, compression })
  await producer.disconnect()
  return answers.map(({ partition, errorCode, baseOffset }) => ({ partition, errorCode, baseOffset: Number(baseOffset) }))
}

// Reads until it has `count` records, commits them, and leaves the group. `seek` is {partition, offset}.
async function consume({ topic, group, count, seek }) {
  const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const records = []
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error))
    consumer
      .run({
        autoCommit: false,
        eachMessage: async ({ message, partition }) => {
          if (seek && records.length === 0 && Number(message.offset) < seek.offset) return
          if (records.length < count) records.push(told(message, partition))
          if (records.length === count) resolve()
        },
      })
      .catch(reject)
    if (seek) consumer.seek({ topic, partition: seek.partition, offset: String(seek.offset) })
  })
  const next = {}
  for (const { partition, offset } of records) next[partition] = Math.max(next[partition] || 0, offset + 1)
  await consumer.commitOffsets(
    Object.entries(next).map(([partition, offset]) => ({ topic, partition: Number(partition), offset: String(offset) }))
  )
  await consumer.disconnect()
  return records
}

// A second member joins the first, and leaves again: what each of them reads meanwhile.
async function share({ topic, group }) {
  const held = {}
  const member = async (name) => {
    const consumer = kafka.consumer({ groupId: group, heartbeatInterval: 200, maxWaitTimeInMs })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      held[name] = payload.memberAssignment[topic] || []
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({ eachMessage: async () => {} })
    return consumer
  }
  const until = async (first, second) => {
    const sizes = () => [held.first, held.second].map((list) => (list ? list.length : 0))
    while (sizes()[0] !== first || sizes()[1] !== second) await new Promise((resolve) => setTimeout(resolve, 20))
    return { first: [...held.first].sort(), second: [...(held.second || [])].sort() }
  }
  const first = await member('first')
  const alone = await until(4, 0)
  const second = await member('second')
  const together = await until(2, 2)
  await second.disconnect()
  held.second = []
  const again = await until(4, 0)
  await first.disconnect()
  return { alone, together, again }
}

async function administer({ topic }) {
  const admin = kafka.admin()
  await admin.connect()
  const created = await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 1 }] })
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  const ends = await admin.fetchTopicOffsets(topic)
  await admin.deleteTopics({ topics: [topic] })
  const left = await admin.listTopics()
  await admin.disconnect()
  return { created, partitions: topics[0].partitions.length, ends: ends.length, gone: !left.includes(topic) }
}

const verbs = { produce, consume, share, administer }
verbs[verb](JSON.parse(json)).then(
  (outcome) => process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0)),
  (error) => {
    process.stderr.write(`${error.stack}\n`, () => process.exit(1))
  }
)
