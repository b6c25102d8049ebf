"""What people write: French and English sentences by topic and moment.

Belongs here: sentences with slots, and the values that fill the slots; all names are invented.
Does not belong here: who says which sentence when (`stories.py`).

Long because it is a list of sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

from seeds.generator.draw import Draw


@dataclass(frozen=True)
class Topic:
    """The sentences of one topic in one language: a visitor's need and what becomes of it."""

    openings: tuple[str, ...]
    details: tuple[str, ...]
    steps: tuple[str, ...]
    answers: tuple[str, ...]


# The moments that every topic shares.
COMMON: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "bot_hello": (
            "Hi! I am Lumo, the virtual assistant. How can I help you today?",
            "Hello 👋 I can help with orders, invoices and bookings. What is it about?",
            "Welcome! Tell me in a few words what you need.",
            "Hi there, I am an automated assistant. Ask me anything.",
        ),
        "bot_ask": (
            "Could you give me your reference, for example {order}?",
            "Is this about reference {order}?",
            "I found several topics that match. Which one is closest to yours?",
            "Please tell me a little more so that I can look in the right place.",
        ),
        "bot_handover": (
            "I will pass you on to a colleague who can help with that. One moment, please.",
            "That is one for a human. I am transferring you now.",
            "Let me find an adviser for you…",
        ),
        "bot_failed": (
            "All our advisers are busy right now. You can leave your e-mail address in the form.",
            "Nobody is available at this time. We are open from 9 am to 7 pm.",
        ),
        "bot_bye": (
            "Glad I could help. Have a nice day!",
            "Is there anything else? If not, I will close this conversation.",
        ),
        "hello": (
            "Hello, thank you for waiting. How can I help?",
            "Hi, let me read what you wrote, one moment.",
            "Good morning, what can I do for you?",
            "Hello and welcome! I am looking at your message right now.",
        ),
        "takeover": (
            "Hello, my colleague has told me about your request. I will look after it.",
            "Hi, I have read the conversation, so you need not repeat anything.",
            "Good afternoon, I am from the specialist team. Let us solve this together.",
        ),
        "returned": (
            "Hello again, the question came back to me. Give me a minute.",
            "It is me again: my colleague sees this as I do.",
        ),
        "handover": (
            "I am passing you on to a colleague who knows this better than I do.",
            "This is for our specialist team. I will transfer you, please stay on the line.",
            "My colleague will take it from here. Everything you wrote goes along.",
        ),
        "refused": (
            "My colleague cannot take over at the moment, so I will stay with you.",
            "The other team is not available. Let me see what I can do myself.",
        ),
        "snooze": (
            "I need an answer from the warehouse. I will come back to you as soon as I have it.",
            "Let me check this with the supplier; I will write to you here.",
            "I will follow this up and come back to you here.",
        ),
        "back": (
            "Hello again! I now have the answer that you were waiting for.",
            "As promised, here is news about {order}.",
            "Good morning, coming back to your question about {order}.",
        ),
        "thanks": (
            "Thank you, that is what I needed.",
            "Great, thanks a lot!",
            "Perfect 👍",
            "OK thanks. Have a good day.",
            "Ok, I will try that and come back if it does not work",
            "Brilliant, cheers",
        ),
        "repeat": (
            "Hello?",
            "Are you still there?",
            "Is anybody there? I have been waiting for a while.",
            "???",
        ),
        "bye": (
            "You are welcome. Have a nice day!",
            "With pleasure. Do not hesitate to come back to us.",
            "Thank you for contacting us, goodbye.",
        ),
        "impatient": (
            "I have no more time, I will try again later.",
            "This takes too long, never mind.",
        ),
    },
    "fr": {
        "bot_hello": (
            "Bonjour ! Je suis Lumo, l'assistant virtuel. Comment puis-je vous aider ?",
            "Bonjour 👋 Commande, facture, réservation : dites-moi ce qui vous amène.",
            "Bienvenue ! Expliquez-moi votre besoin en quelques mots.",
            "Bonjour, je suis un assistant automatique. Posez-moi votre question.",
        ),
        "bot_ask": (
            "Pouvez-vous me donner votre référence, par exemple {order} ?",
            "S'agit-il de la référence {order} ?",
            "Plusieurs sujets correspondent. Lequel est le plus proche du vôtre ?",
            "Dites-m'en un peu plus, pour que je cherche au bon endroit.",
        ),
        "bot_handover": (
            "Je vous mets en relation avec un conseiller. Un instant, s'il vous plaît.",
            "Là, il vous faut un humain : je vous transfère.",
            "Je cherche un conseiller disponible…",
        ),
        "bot_failed": (
            "Tous nos conseillers sont occupés. Vous pouvez laisser un message par formulaire.",
            "Personne n'est disponible à cette heure-ci. Nous sommes là de 9 h à 19 h.",
        ),
        "bot_bye": (
            "Ravi d'avoir pu vous aider. Bonne journée !",
            "Avez-vous une autre question ? Sinon, je ferme cette conversation.",
        ),
        "hello": (
            "Bonjour, merci d'avoir patienté. Que puis-je faire pour vous ?",
            "Bonjour, je lis votre message et je vous réponds.",
            "Bonjour et bienvenue, en quoi puis-je vous être utile ?",
            "Bonjour ! Je regarde cela tout de suite.",
        ),
        "takeover": (
            "Bonjour, ma collègue m'a transmis votre demande, je m'en occupe.",
            "Bonjour, j'ai lu vos échanges : inutile de tout répéter.",
            "Bonjour, je suis du service spécialisé. Voyons cela ensemble.",
        ),
        "returned": (
            "Rebonjour, votre question m'est revenue. Je regarde.",
            "C'est encore moi : mon collègue est du même avis.",
        ),
        "handover": (
            "Je vous passe un collègue qui connaît mieux ce sujet que moi.",
            "Cela relève de notre équipe spécialisée, je vous transfère.",
            "Mon collègue prend la suite, il voit tout ce que vous avez écrit.",
        ),
        "refused": (
            "Mon collègue n'est pas disponible, je reste donc avec vous.",
            "L'autre équipe ne répond pas. Voyons ce que je peux faire.",
        ),
        "snooze": (
            "J'attends une réponse de l'entrepôt et je reviens vers vous ici même.",
            "Je vérifie auprès du fournisseur et je vous écris dès que possible.",
            "Je fais le suivi et je reviens vers vous.",
        ),
        "back": (
            "Rebonjour ! J'ai enfin la réponse que vous attendiez.",
            "Comme promis, voici des nouvelles de {order}.",
            "Bonjour, je reviens vers vous au sujet de {order}.",
        ),
        "thanks": (
            "Merci, c'est exactement ce qu'il me fallait.",
            "Super, merci beaucoup !",
            "Parfait 👍",
            "D'accord, merci. Bonne journée à vous.",
            "ok j'essaie et je reviens si ça ne marche pas",
            "Très bien, merci pour votre aide.",
        ),
        "repeat": (
            "Allô ?",
            "Vous êtes toujours là ?",
            "Il y a quelqu'un ? J'attends depuis un moment.",
            "???",
        ),
        "bye": (
            "Je vous en prie. Bonne journée !",
            "Avec plaisir, n'hésitez pas à revenir vers nous.",
            "Merci de nous avoir contactés, au revoir.",
        ),
        "impatient": (
            "Je n'ai plus le temps, je réessaierai plus tard.",
            "C'est trop long, tant pis.",
        ),
    },
}

TOPICS: dict[str, dict[str, Topic]] = {
    "delivery": {
        "en": Topic(
            (
                "Hi, my parcel {order} should have arrived on {day}. Where is it?",
                "Good morning, the tracking page has not moved since {day}.",
                "My {item} was delivered to the wrong address, what now?",
                "Can I still change the delivery slot for order {order}?",
            ),
            (
                "It is order {order}, one {item}.",
                "Order: {order}\nItem: {item}\nPromised for: {day}",
                'The carrier says "address unknown", but I have lived in {place} for years.',
                "I would rather pick it up at a collection point near {place}.",
            ),
            (
                "Let me look at the tracking of {order}.",
                "I can see the parcel at the depot in {place}.",
                "I am calling the carrier, please give me two minutes.",
            ),
            (
                "It will be delivered on {day}, between 9 am and 1 pm.",
                "I have opened a search; if nothing is found by {day}, we refund you.",
                "I have changed the slot: {day}, in the evening. You will get a confirmation.",
            ),
        ),
        "fr": Topic(
            (
                "Bonjour, mon colis {order} devait arriver {day}. Où est-il ?",
                "Bonjour, le suivi n'a pas bougé depuis {day}.",
                "Mon {item} a été livré à la mauvaise adresse, que faire ?",
                "Puis-je encore changer le créneau de livraison de la commande {order} ?",
            ),
            (
                "C'est la commande {order}, un {item}.",
                "Commande : {order}\nArticle : {item}\nPromis pour : {day}",
                "Le transporteur dit « adresse inconnue », j'habite {place} depuis des années !",
                "Je préférerais un point relais du côté de {place}.",
            ),
            (
                "Je regarde le suivi de {order}.",
                "Je vois le colis au dépôt de {place}.",
                "J'appelle le transporteur, laissez-moi deux minutes.",
            ),
            (
                "Il sera livré {day}, entre 9 h et 13 h.",
                "J'ai ouvert une enquête ; sans nouvelle d'ici {day}, nous vous remboursons.",
                "J'ai modifié le créneau : {day}, en soirée. Vous recevrez une confirmation.",
            ),
        ),
    },
    "returns": {
        "en": Topic(
            (
                "I would like to send back the {item} from order {order}.",
                "The {item} arrived damaged, one corner is broken.",
                "How long do I have to return something?",
                "I sent my return on {day} and have had no refund yet.",
            ),
            (
                "It is too big for our living room, and never used.",
                "I still have the box, but not the label.",
                "I paid {amount} by card.",
                "Photo is attached; the scratch is on the left side, near the handle.",
            ),
            (
                "I am preparing the return label.",
                "Let me check with the returns centre in {place}.",
                "Could you tell me whether the packaging is complete?",
            ),
            (
                "The refund of {amount} leaves today, it takes three to five working days.",
                "You can return it free of charge until {day}. The label is in your account.",
                "We will send a new {item}; no need to return the broken one.",
            ),
        ),
        "fr": Topic(
            (
                "Je voudrais renvoyer le {item} de la commande {order}.",
                "Le {item} est arrivé abîmé, un coin est cassé.",
                "De combien de temps est-ce que je dispose pour un retour ?",
                "J'ai renvoyé mon colis {day} et je n'ai toujours pas de remboursement.",
            ),
            (
                "Il est trop grand pour notre salon, il n'a jamais servi.",
                "J'ai encore le carton, mais plus l'étiquette.",
                "J'avais payé {amount} par carte.",
                "Photo jointe ; la rayure est à gauche, près de la poignée.",
            ),
            (
                "Je prépare l'étiquette de retour.",
                "Je vérifie avec le centre de retours de {place}.",
                "Pouvez-vous me dire si l'emballage est complet ?",
            ),
            (
                "Le remboursement de {amount} part aujourd'hui, comptez trois à cinq jours ouvrés.",
                "Le retour est gratuit jusqu'à {day}. L'étiquette est dans votre espace client.",
                "Nous vous envoyons un nouveau {item}, gardez l'ancien.",
            ),
        ),
    },
    "invoice": {
        "en": Topic(
            (
                "My invoice of {day} shows {amount} instead of the usual price.",
                "Could you send me the invoice for {order}, please?",
                "I was charged twice for the same month!",
                "What is the line 'service fee' on my bill?",
            ),
            (
                "The reference on the invoice is {order}.",
                "{amount}, taken from my account on {day}.",
                "I need it with the company name on it, for my accounts.",
                "Nobody told me that the discount would end.",
            ),
            (
                "I am opening your invoice {order}.",
                "I can see two payments of {amount}, let me check.",
                "I am asking the accounts team.",
            ),
            (
                "You are right: {amount} will be credited on the next invoice.",
                "The corrected invoice is now in your account.",
                "The fee is for the change that you asked for on {day}. I have halved it for you.",
            ),
        ),
        "fr": Topic(
            (
                "Ma facture du {day} indique {amount} au lieu du tarif habituel.",
                "Pouvez-vous m'envoyer la facture de {order}, s'il vous plaît ?",
                "J'ai été prélevé deux fois le même mois !",
                "À quoi correspond la ligne « frais de service » ?",
            ),
            (
                "La référence sur la facture est {order}.",
                "{amount}, prélevés {day}.",
                "Il me la faut au nom de l'entreprise, pour ma comptabilité.",
                "Personne ne m'a prévenu de la fin de la remise.",
            ),
            (
                "J'ouvre votre facture {order}.",
                "Je vois deux prélèvements de {amount}, je vérifie.",
                "J'interroge la comptabilité.",
            ),
            (
                "Vous avez raison : {amount} seront déduits de la prochaine facture.",
                "La facture corrigée est dans votre espace client.",
                "Ces frais concernent le changement demandé {day}. Je vous en offre la moitié.",
            ),
        ),
    },
    "broadband": {
        "en": Topic(
            (
                "My internet has been down since {day}.",
                "The connection is very slow in the evening, less than 5 Mbit/s.",
                "The box blinks red and the phone is dead as well.",
                "I am moving to {place}, can I take my line with me?",
            ),
            (
                "I have restarted the {item} twice already.",
                "The light is orange, then red, then off; it starts again every two minutes.",
                "Speed test: 4,2 down, 0,6 up",
                "The neighbours in {place} have the same problem.",
            ),
            (
                "I am running a line test, it takes about a minute.",
                "Please unplug the {item} for ten seconds.",
                "I can see a fault in the area of {place}.",
            ),
            (
                "A technician will come on {day} between 8 am and noon.",
                "The line is back. Could you check on your side?",
                "We will send you a new {item}, it arrives on {day}.",
            ),
        ),
        "fr": Topic(
            (
                "Je n'ai plus Internet depuis {day}.",
                "La connexion est très lente le soir, moins de 5 Mbit/s.",
                "La box clignote en rouge et le téléphone ne marche plus.",
                "Je déménage à {place}, puis-je garder ma ligne ?",
            ),
            (
                "J'ai déjà redémarré deux fois : {item} débranché puis rebranché.",
                "Le voyant est orange, puis rouge, puis s'éteint ; et ça recommence.",
                "Test de débit : 4,2 en réception, 0,6 en envoi",
                "Les voisins, à {place}, ont le même souci.",
            ),
            (
                "Je lance un test de ligne, comptez une minute.",
                "Débranchez l'appareil pendant dix secondes, s'il vous plaît.",
                "Je vois une panne dans le secteur de {place}.",
            ),
            (
                "Un technicien passera {day} entre 8 h et midi.",
                "La ligne est rétablie. Pouvez-vous vérifier de votre côté ?",
                "Nous vous envoyons un nouvel appareil, il arrive {day}.",
            ),
        ),
    },
    "mobile": {
        "en": Topic(
            (
                "I have no signal since I changed my SIM card.",
                "How do I activate roaming before my trip on {day}?",
                "I would like to keep my number and change my plan.",
                "Why did I pay {amount} on top of my plan?",
            ),
            (
                "The phone is a {item}, bought from you.",
                "It works in {place} but not at home.",
                "My plan ends on {day}, I think.",
                "I only used maps for ten minutes!",
            ),
            (
                "I am checking the status of your SIM card.",
                "Let me compare the plans for you.",
                "I am sending the settings again to your {item}.",
            ),
            (
                "Please switch the phone off and on, it should work now.",
                "Roaming is on from {day}; the first gigabyte is free.",
                "The new plan starts on {day} at {amount} a month.",
            ),
        ),
        "fr": Topic(
            (
                "Je n'ai plus de réseau depuis le changement de carte SIM.",
                "Comment activer l'itinérance avant mon voyage, {day} ?",
                "Je voudrais garder mon numéro et changer de forfait.",
                "Pourquoi ai-je payé {amount} hors forfait ?",
            ),
            (
                "Le téléphone est chez vous depuis longtemps : {item}.",
                "Ça marche à {place}, mais pas chez moi.",
                "Mon engagement se termine {day}, je crois.",
                "Je n'ai utilisé que la carte routière, dix minutes !",
            ),
            (
                "Je vérifie l'état de votre carte SIM.",
                "Je compare les forfaits pour vous.",
                "Je renvoie les réglages à votre appareil.",
            ),
            (
                "Éteignez puis rallumez le téléphone, cela devrait marcher.",
                "L'itinérance est active à partir de {day} ; le premier gigaoctet est offert.",
                "Le nouveau forfait commence {day}, à {amount} par mois.",
            ),
        ),
    },
    "booking": {
        "en": Topic(
            (
                "I need to change the dates of booking {order}.",
                "Our flight to {place} was cancelled, what are our options?",
                "Is breakfast included in booking {order}?",
                "Can I add a {item} to my trip on {day}?",
            ),
            (
                "Two adults, one child, leaving on {day}.",
                "We would like to leave on {day} instead, the hotel in {place} stays the same.",
                "I booked it online for {amount}.",
                "Booking {order}\nFrom: {place}\nDate: {day}",
            ),
            (
                "I am looking for seats on {day}.",
                "One moment, I am asking the hotel in {place}.",
                "I have your booking {order} in front of me.",
            ),
            (
                "Done: you travel on {day}. The difference is {amount}.",
                "You can choose between a new flight on {day} and a full refund.",
                "I have added it; the new confirmation is on its way.",
            ),
        ),
        "fr": Topic(
            (
                "Je dois changer les dates de la réservation {order}.",
                "Notre vol pour {place} est annulé, que nous proposez-vous ?",
                "Le petit déjeuner est-il compris dans la réservation {order} ?",
                "Puis-je ajouter une option à mon voyage du {day} ({item}) ?",
            ),
            (
                "Deux adultes, un enfant, départ {day}.",
                "Nous voudrions partir {day}, l'hôtel à {place} ne change pas.",
                "J'ai réservé en ligne pour {amount}.",
                "Réservation {order}\nDépart : {place}\nDate : {day}",
            ),
            (
                "Je cherche des places pour {day}.",
                "Un instant, j'interroge l'hôtel à {place}.",
                "J'ai votre réservation {order} sous les yeux.",
            ),
            (
                "C'est fait : vous partez {day}. La différence est de {amount}.",
                "Vous avez le choix entre un vol {day} et un remboursement complet.",
                "C'est ajouté, la nouvelle confirmation est en route.",
            ),
        ),
    },
    "advice": {
        "en": Topic(
            (
                "I am hesitating between two models of {item}, could you advise me?",
                "Is the {item} available again soon?",
                "Is there a discount if I take two?",
                "Does the {item} come with a warranty?",
            ),
            (
                "It is for a small room, about 12 m².",
                "My budget is about {amount}.",
                "I would need it before {day}.",
                "I saw it cheaper elsewhere, to be honest.",
            ),
            (
                "Let me compare the two for you.",
                "I am checking the stock in {place}.",
                "What matters most to you: price, size or delivery time?",
            ),
            (
                "For your use I would take the first one, at {amount}.",
                "It is back in stock on {day}; I can put one aside for you.",
                "The warranty is two years, and five for the frame.",
            ),
        ),
        "fr": Topic(
            (
                "J'hésite entre deux modèles de {item}, pouvez-vous me conseiller ?",
                "Le {item} sera-t-il bientôt de nouveau disponible ?",
                "Y a-t-il une remise si j'en prends deux ?",
                "Le {item} est-il garanti ?",
            ),
            (
                "C'est pour une petite pièce, environ 12 m².",
                "Mon budget est d'environ {amount}.",
                "Il me le faudrait avant {day}.",
                "Je l'ai vu moins cher ailleurs, pour tout vous dire.",
            ),
            (
                "Je compare les deux pour vous.",
                "Je regarde le stock à {place}.",
                "Qu'est-ce qui compte le plus : le prix, la taille, le délai ?",
            ),
            (
                "Pour votre usage je prendrais le premier, à {amount}.",
                "Retour en stock {day} ; je peux vous en réserver un.",
                "La garantie est de deux ans, et de cinq pour la structure.",
            ),
        ),
    },
}

_ITEMS = {
    "en": {
        "retail": ("floor lamp", "armchair", "bookcase", "wool rug", "oak table", "bed frame"),
        "telecom": ("router", "set-top box", "repeater", "modem", "handset", "fibre box"),
        "travel": ("rental car", "late check-out", "extra suitcase", "bike tour", "sea-view room"),
    },
    "fr": {
        "retail": ("lampadaire", "fauteuil", "buffet en chêne", "tapis", "bureau", "sommier"),
        "telecom": ("routeur", "décodeur", "répéteur", "modem", "boîtier fibre", "combiné"),
        "travel": ("voiture de location", "départ tardif", "valise en plus", "vue sur la mer"),
    },
}
_PLACES = ("Nantes", "Lyon", "Brest", "York", "Bristol", "Albany", "Portland", "Québec", "Nelson")
_DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "the 12th"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "le 12"),
}
COMMENTS = {
    "en": (
        "Quick and friendly, thank you.",
        "Had to repeat myself, but solved in the end.",
        "Too long a wait.",
        'The assistant kept asking "which topic?"; the person was great.',
        "Perfect!",
        "Still waiting for my refund, so I cannot say yet.",
    ),
    "fr": (
        "Rapide et aimable, merci.",
        "J'ai dû répéter, mais c'est réglé.",
        "Trop d'attente.",
        "Le robot ne comprenait pas ; la conseillère, si !",
        "Parfait, rien à redire.",
        "J'attends encore mon remboursement, à voir.",
    ),
}


@dataclass(frozen=True)
class Subject:
    """What one conversation is about: the slots keep their values from start to end."""

    topic: str
    language: str
    slots: dict[str, str]

    def fill(self, sentence: str) -> str:
        """The sentence with its slots filled."""
        return sentence.format_map(self.slots)


def draw_subject(draw: Draw, trade: str, topics: tuple[str, ...], language: str) -> Subject:
    """What a conversation is about.

    Args:
        draw: the conversation's stream.
        trade: `retail`, `telecom` or `travel`: what is sold.
        topics: keys of `TOPICS` to choose from.
        language: `en` or `fr`.
    """
    whole, cents = draw.between(9, 480), draw.pick(("00", "50", "90", "99"))
    slots = {
        "order": f"{draw.pick('ABHKMRT')}{draw.between(10000, 99999)}",
        "item": draw.pick(_ITEMS[language][trade]),
        "place": draw.pick(_PLACES),
        "day": draw.pick(_DAYS[language]),
        "amount": f"{whole},{cents}" if language == "fr" else f"{whole}.{cents}",
    }
    return Subject(draw.pick(topics), language, slots)
