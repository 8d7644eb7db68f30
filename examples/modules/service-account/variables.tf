variable "name" {
  description = "Name of the service account, 1 to 255 characters. Another name makes another account."
  type        = string
}

variable "role" {
  description = "Role of the account: Admin, Manager or Member."
  type        = string
  default     = "Member"
}

variable "teams" {
  description = "Names of the account's teams. Null leaves membership to its other writers; [] is Public only."
  type        = set(string)
  default     = null
}

variable "revoke_tokens_on_destroy" {
  description = "Whether destroying the account first revokes tokens that this module does not manage."
  type        = bool
  default     = false
}

variable "tokens" {
  description = "The account's tokens by the name of what uses them: how many days each lives, and how many days before that it is rotated."
  type = map(object({
    expires_in_days    = optional(number, 90)
    rotate_before_days = optional(number, 14)
  }))
  default = {}

  validation {
    condition     = alltrue([for t in values(var.tokens) : t.rotate_before_days < t.expires_in_days])
    error_message = "Each rotate_before_days has to be smaller than its expires_in_days."
  }
}
